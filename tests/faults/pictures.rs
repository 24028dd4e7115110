//! Pictures that are no pictures, too much of one, or not of the kind the model takes.

use gifthorse_api::catalogue::ErrorCode;
use gifthorse_api::v1::classify_request::Input;

use crate::networks::{HEIGHT, WIDTH};
use crate::png::{Colour, checksum_of_pixels, nearly_empty, png};
use crate::refusal::assert_refused;
use crate::vigil::{Vigil, classify};

/// What the gateway may take more for refused pictures, in bytes: connections, buffers, thread stacks.
const SLACK: u64 = 48 << 20;

const PIXELS: usize = HEIGHT as usize * WIDTH as usize;

fn levels(colour: Colour) -> Vec<u8> {
    (0..PIXELS * colour.samples()).map(|index| (index * 11 % 256) as u8).collect()
}

fn plain(colour: Colour) -> Vec<u8> {
    png(HEIGHT, WIDTH, colour, 8, &levels(colour))
}

fn image(file: Vec<u8>) -> Input {
    Input::Image(file.into())
}

#[tokio::test]
async fn each_fault_has_its_own_code() {
    use ErrorCode::{ImageFormat, ImageInvalid, ImageSize, ImageTooLarge};
    let mut vigil = Vigil::start_with(&[("gateway", "pictures.file_bytes", "1MiB")]).await;
    let mut wrong_checksum = plain(Colour::Rgb);
    let at = checksum_of_pixels(&wrong_checksum);
    wrong_checksum[at] ^= 1;
    let sound = plain(Colour::Rgb);
    let padded = [sound.clone(), vec![0; 1 << 20]].concat();
    for (what, file, code, part) in [
        ("a wrong checksum", wrong_checksum, ImageInvalid, "PNG"),
        ("half a picture", sound[..sound.len() / 2].to_vec(), ImageInvalid, "PNG"),
        ("no bytes", Vec::new(), ImageInvalid, "empty"),
        ("a GIF", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;".to_vec(), ImageInvalid, "no format we read"),
        ("text", b"<svg/>".to_vec(), ImageInvalid, "no format we read"),
        ("alpha", plain(Colour::RgbAlpha), ImageFormat, "alpha"),
        ("grey with alpha", plain(Colour::GreyAlpha), ImageFormat, "alpha"),
        ("another size", png(WIDTH, HEIGHT, Colour::Rgb, 8, &levels(Colour::Rgb)), ImageSize, "8 x 6"),
        ("a bomb", nearly_empty(15_000, 20_000), ImageTooLarge, "15000 x 20000"),
        ("too many bytes", padded, ImageTooLarge, "bytes"),
    ] {
        assert_refused(what, classify(&vigil.gateway, image(file)).await, code, part);
    }
    vigil.assert_unharmed().await;
}

#[tokio::test]
async fn bombs_take_no_memory() {
    let mut vigil = Vigil::start().await;
    let sound = classify(&vigil.gateway, image(plain(Colour::Rgb))).await;
    assert!(sound.is_ok(), "{sound:?}");
    let before = vigil.house.gateway.peak_memory_bytes();
    // 300 megapixels, that is 900 MB once unpacked; many at once, for memory is freed between two.
    let bombs = (0..64).map(|_| classify(&vigil.gateway, image(nearly_empty(15_000, 20_000))));
    for answer in futures::future::join_all(bombs).await {
        assert_refused("a bomb", answer, ErrorCode::ImageTooLarge, "15000 x 20000");
    }
    let peak = vigil.house.gateway.peak_memory_bytes();
    assert!(peak < before + SLACK, "the gateway grew from {before} to {peak} bytes");
    vigil.assert_unharmed().await;
}

#[tokio::test]
async fn deep_and_grey_pictures_are_taken_as_documented() {
    let mut vigil = Vigil::start().await;
    let answer = async |file: Vec<u8>| {
        let answer = classify(&vigil.gateway, image(file)).await.expect("the picture is taken").into_inner();
        (answer.label, answer.top)
    };
    // 16 bit are rounded to 8: a level times 257 is the same level.
    let doubled = |colour| levels(colour).into_iter().flat_map(|level| [level, level]).collect::<Vec<_>>();
    for colour in [Colour::Rgb, Colour::Grey] {
        let deep = png(HEIGHT, WIDTH, colour, 16, &doubled(colour));
        assert_eq!(answer(deep).await, answer(plain(colour)).await);
    }
    // Grey is repeated for each channel.
    let repeated: Vec<u8> = levels(Colour::Grey).into_iter().flat_map(|level| [level; 3]).collect();
    let colour = png(HEIGHT, WIDTH, Colour::Rgb, 8, &repeated);
    assert_eq!(answer(plain(Colour::Grey)).await, answer(colour).await);
    assert_ne!(answer(plain(Colour::Grey)).await, answer(plain(Colour::Rgb)).await);
    vigil.assert_unharmed().await;
}
