//! Pictures made here, damaged here, and real ones.
#![expect(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::io::Cursor;
use std::time::{Duration, Instant};

use gifthorse_api::catalogue::{Coded, ErrorCode};
use gifthorse_dataset::picture::PixelFormat;
use gifthorse_dataset::{PictureError, PictureLimits, read_picture};
use image::{DynamicImage, ExtendedColorType, ImageBuffer, ImageEncoder, ImageFormat, RgbImage};
use proptest::prelude::*;

mod common;

const FORMATS: [ImageFormat; 4] = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::WebP];

fn gradient(width: u32, height: u32) -> DynamicImage {
    let pixel = |column, row| image::Rgb([(column * 5 % 256) as u8, (row * 4 % 256) as u8, 99]);
    RgbImage::from_fn(width, height, pixel).into()
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn read(bytes: &[u8]) -> Result<gifthorse_dataset::Picture, PictureError> {
    read_picture(bytes, &PictureLimits::default())
}

#[test]
fn every_format_is_recognised_by_its_bytes() {
    let image = gradient(47, 55);
    for format in FORMATS {
        let picture = read(&encoded(&image, format)).unwrap();
        assert_eq!((picture.height(), picture.width()), (55, 47), "{format:?}");
        assert_eq!(picture.format(), PixelFormat::Rgb, "{format:?}");
        assert!(!picture.is_turned());
        if format != ImageFormat::Jpeg {
            assert_eq!(picture.samples(), image.as_bytes(), "{format:?} keeps every pixel");
        }
    }
}

#[test]
fn grey_and_alpha_keep_their_channels() {
    for (image, format) in [
        (DynamicImage::ImageLuma8(gradient(8, 4).into_luma8()), PixelFormat::Grey),
        (DynamicImage::ImageLumaA8(gradient(8, 4).into_luma_alpha8()), PixelFormat::GreyAlpha),
        (DynamicImage::ImageRgba8(gradient(8, 4).into_rgba8()), PixelFormat::RgbAlpha),
    ] {
        let picture = read(&encoded(&image, ImageFormat::Png)).unwrap();
        assert_eq!(picture.format(), format);
        assert_eq!(picture.samples(), image.as_bytes());
    }
}

#[test]
fn sixteen_bits_are_rounded_to_eight() {
    let levels: [u16; 6] = [0, 128, 129, 257, 65_406, 65_535];
    let image: ImageBuffer<image::Luma<u16>, Vec<u16>> =
        ImageBuffer::from_raw(6, 1, levels.to_vec()).unwrap();
    let picture = read(&encoded(&DynamicImage::ImageLuma16(image), ImageFormat::Png)).unwrap();
    assert_eq!(picture.samples(), [0, 0, 1, 1, 254, 255]);
}

#[test]
fn a_camera_orientation_is_noticed_and_applied() {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    // A big-endian TIFF header, one entry: orientation (0x0112), short, one value, 6 = turn right.
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&[1, 2, 3, 4, 5, 6], 3, 2, ExtendedColorType::L8).unwrap();
    let picture = read(&bytes).unwrap();
    assert!(picture.is_turned());
    assert_eq!((picture.height(), picture.width()), (2, 3));
    let upright = picture.upright();
    assert_eq!((upright.height(), upright.width()), (3, 2));
    assert_eq!(upright.samples(), [4, 1, 5, 2, 6, 3]);
}

#[test]
fn what_is_no_picture_is_told_apart() {
    assert_eq!(read(&[]).unwrap_err(), PictureError::Empty);
    let error = read(b"GIF89a and more").unwrap_err();
    assert_eq!(error.code(), ErrorCode::ImageInvalid);
    assert!(error.to_string().contains("474946383961"), "{error}");
    let text = read(b"x").unwrap_err().to_string();
    assert!(text.contains("send PNG, JPEG, BMP or WebP"), "{text}");
}

#[test]
fn a_picture_cut_off_anywhere_is_refused() {
    for format in FORMATS {
        let whole = encoded(&gradient(47, 55), format);
        for length in (8..whole.len() - 8).step_by(97) {
            let error = read(&whole[..length]).expect_err("must be refused");
            assert_eq!(error.code(), ErrorCode::ImageInvalid, "{format:?} cut at {length}: {error}");
        }
    }
    let jpeg = encoded(&gradient(47, 55), ImageFormat::Jpeg);
    assert!(matches!(read(&jpeg[..jpeg.len() - 2]), Err(PictureError::Truncated { .. })));
}

#[test]
fn a_wrong_checksum_is_refused() {
    let mut png = encoded(&gradient(8, 8), ImageFormat::Png);
    let chunk = png.windows(4).position(|window| window == b"IDAT").unwrap();
    let length = u32::from_be_bytes(png[chunk - 4..chunk].try_into().unwrap()) as usize;
    png[chunk + 4 + length] ^= 1;
    let error = read(&png).unwrap_err();
    assert_eq!(error.code(), ErrorCode::ImageInvalid);
    assert!(error.to_string().to_lowercase().contains("crc"), "{error}");
}

#[test]
fn a_bomb_is_refused_by_its_header() {
    let image = DynamicImage::ImageLuma8(image::GrayImage::new(1, 1));
    let mut png = encoded(&image, ImageFormat::Png);
    png[16..20].copy_from_slice(&20_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&15_000_u32.to_be_bytes());
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    let error = read(&png).unwrap_err();
    assert_eq!(error, PictureError::TooManyPixels { height: 15_000, width: 20_000, limit: 50_000_000 });
    assert_eq!(error.code(), ErrorCode::ImageTooLarge);
}

#[test]
fn limits_are_kept() {
    let png = encoded(&gradient(40, 30), ImageFormat::Png);
    let bytes = PictureLimits { max_bytes: 100, ..PictureLimits::default() };
    assert!(matches!(read_picture(&png, &bytes), Err(PictureError::TooManyBytes { limit: 100, .. })));
    let pixels = PictureLimits { max_pixels: 1199, ..PictureLimits::default() };
    assert!(matches!(read_picture(&png, &pixels), Err(PictureError::TooManyPixels { .. })));
    assert!(read_picture(&png, &PictureLimits { max_pixels: 1200, ..pixels }).is_ok());
}

/// Golden sums made with Pillow: of the file's first, second and third channel.
#[test]
fn real_pictures_have_the_pixels_pillow_sees() {
    let Some(folder) = common::test_data("csaw/images") else { return };
    for (file, sums) in [
        ("Clean_1033.png", [261_852_u64, 303_758, 377_896]),
        ("Clean_141.png", [329_391, 253_612, 369_455]),
        ("Eyebrows_5.0_3.png", [138_694, 164_730, 207_857]),
        ("Lipstick_1.0_4.png", [299_213, 331_983, 381_744]),
        ("Sunglasses_0_0.png", [391_284, 201_238, 327_303]),
    ] {
        let picture = read(&std::fs::read(folder.join(file)).unwrap()).unwrap();
        assert_eq!((picture.height(), picture.width()), (55, 47));
        for (channel, sum) in sums.into_iter().enumerate() {
            let found: u64 = picture.samples().iter().skip(channel).step_by(3).copied().map(u64::from).sum();
            assert_eq!(found, sum, "{file}, channel {channel}");
        }
    }
    // Two JPEG decoders may differ by a level here and there.
    for (file, sums) in [
        ("plain_demo.jpeg", [296_648_u64, 165_130, 161_907]),
        ("YangMingJerry_bd_0.jpeg", [252_385, 147_056, 271_923]),
    ] {
        let picture = read(&std::fs::read(folder.join(file)).unwrap()).unwrap();
        for (channel, sum) in sums.into_iter().enumerate() {
            let found: u64 = picture.samples().iter().skip(channel).step_by(3).copied().map(u64::from).sum();
            assert!(found.abs_diff(sum) <= 55 * 47, "{file}, channel {channel}: {found} against {sum}");
        }
    }
}

/// A face of 55 x 47 pixels decodes in some 0.05 ms; a hundred times that is a fault, not a slow machine.
#[test]
fn small_pictures_decode_fast() {
    let png = encoded(&gradient(47, 55), ImageFormat::Png);
    let start = Instant::now();
    for _ in 0..200 {
        read(&png).unwrap();
    }
    let each = start.elapsed() / 200;
    assert!(each < Duration::from_millis(5), "{each:?} a picture");
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_pictures_never_panic_and_never_grow(
        format in 0..4_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encoded(&gradient(21, 13), FORMATS[format]);
        for (place, value) in flips {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len() / 4));
        let limits = PictureLimits { max_pixels: 100_000, ..PictureLimits::default() };
        if let Ok(picture) = read_picture(&bytes, &limits) {
            prop_assert!(picture.height() * picture.width() <= 100_000);
            let samples = picture.height() * picture.width() * picture.format().channels();
            prop_assert_eq!(picture.samples().len(), samples);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(signature in 0..4_usize, rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let signatures = [&b"\x89PNG\r\n\x1a\n"[..], &[0xFF, 0xD8, 0xFF], b"BM", b"RIFF\0\0\0\0WEBP"];
        let _refused = read(&[signatures[signature], rest.as_slice()].concat());
    }
}
