//! What a foreign server says of a model, and what the request to link it must add.

use gifthorse_api::inference::ModelMetadataResponse;
use gifthorse_api::inference::model_metadata_response::TensorMetadata;
use gifthorse_api::v1;
use gifthorse_api::v1::channel_order::Kind as Order;
use gifthorse_dataset::preprocessing::Layout;
use gifthorse_dataset::wire::{self, NetworkInput};
use gifthorse_store::LinkRecord;

use super::error::LinkError;

/// The image input of a foreign model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForeignInput {
    /// Rows it takes at once, where it takes no others.
    pub(crate) fixed_rows: Option<u64>,
    /// Its size and axes.
    pub(crate) image: NetworkInput,
}

impl ForeignInput {
    /// Reads what the server says and fills in what the request says of the rest. Servers may leave axes free
    /// (-1), leave the batch axis out, or say nothing at all; what they do say must fit.
    pub(crate) fn of(
        metadata: &ModelMetadataResponse,
        link: &LinkRecord,
        asked: &v1::Preprocessing,
    ) -> Result<Self, LinkError> {
        if metadata.inputs.len() > 1 {
            let message = format!(
                "the model takes {} ({}): only networks with one input, the image, can be linked",
                metadata.inputs.len(),
                names(&metadata.inputs)
            );
            return Err(LinkError::Metadata { field: "endpoint.input", message });
        }
        let input = named(&metadata.inputs, "endpoint.input", &link.input, &["FP32"])?;
        named(&metadata.outputs, "endpoint.output", &link.output, &["FP32", "FP64"])?;
        let shape = input.map(|input| input.shape.as_slice()).unwrap_or_default();
        let (rows, axes) = match *shape {
            [] => (None, [None; 3]),
            [a, b, c] => (None, [a, b, c].map(length)),
            [rows, a, b, c] => (length(rows), [a, b, c].map(length)),
            _ => {
                let message = format!(
                    "{:?} has shape {shape:?}: an image has [N, H, W, C] or [N, C, H, W]",
                    link.input
                );
                return Err(LinkError::Metadata { field: "endpoint.input", message });
            }
        };
        if rows.is_some_and(|rows| rows > 1) {
            let message = format!(
                "{:?} has shape {shape:?}: give the server a network with a free count of rows, or with one",
                link.input
            );
            return Err(LinkError::Metadata { field: "endpoint.input", message });
        }
        Ok(Self { fixed_rows: rows, image: image(axes, asked)? })
    }
}

fn image(axes: [Option<u64>; 3], asked: &v1::Preprocessing) -> Result<NetworkInput, LinkError> {
    let wrong = |field, message: &str| LinkError::Metadata { field, message: message.to_owned() };
    let layout = wire::layout(asked.layout)
        .map_err(|error| LinkError::Metadata { field: "preprocessing.layout", message: error.to_string() })?;
    let layout = layout.or_else(|| layout_of(axes)).ok_or_else(|| {
        wrong(
            "preprocessing.layout",
            "the server does not say which axes are height, width and channels: give NHWC or NCHW",
        )
    })?;
    let [height, width, channels] = match layout {
        Layout::Nhwc => axes,
        Layout::Nchw => [axes[1], axes[2], axes[0]],
    };
    let side = |field, found: Option<u64>, asked: i32| {
        let given = u64::try_from(asked).ok().filter(|asked| *asked > 0);
        let side = found.or(given).and_then(|side| u32::try_from(side).ok());
        side.ok_or_else(|| wrong(field, "the server leaves it free: give it"))
    };
    let colours = match (asked.channels, asked.channel_order == i32::from(Order::Grey)) {
        (0, true) => 1,
        (0, false) => 3,
        (given, _) => given,
    };
    Ok(NetworkInput {
        height: side("preprocessing.height", height, asked.height)?,
        width: side("preprocessing.width", width, asked.width)?,
        channels: side("preprocessing.channels", channels, colours)?,
        layout,
    })
}

/// The layout, where exactly one end of the axes can be the channels.
fn layout_of(axes: [Option<u64>; 3]) -> Option<Layout> {
    let channels = |axis: Option<u64>| matches!(axis, Some(1 | 3));
    match (channels(axes[0]), channels(axes[2])) {
        (false, true) => Some(Layout::Nhwc),
        (true, false) => Some(Layout::Nchw),
        _ => None,
    }
}

/// Length of an axis; none where it is free, however the server writes that.
fn length(axis: i64) -> Option<u64> {
    u64::try_from(axis).ok().filter(|axis| *axis > 0)
}

/// The tensor of this name, or none where the server lists no tensors.
fn named<'a>(
    tensors: &'a [TensorMetadata],
    field: &'static str,
    name: &str,
    types: &[&str],
) -> Result<Option<&'a TensorMetadata>, LinkError> {
    if tensors.is_empty() {
        return Ok(None);
    }
    let Some(tensor) = tensors.iter().find(|tensor| tensor.name == name) else {
        let message = format!("the model has no {name:?}, it has {}", names(tensors));
        return Err(LinkError::Metadata { field, message });
    };
    if !tensor.datatype.is_empty() && !types.contains(&tensor.datatype.as_str()) {
        let message = format!("{name:?} is {}: only {} can be linked", tensor.datatype, types.join(" and "));
        return Err(LinkError::Metadata { field, message });
    }
    Ok(Some(tensor))
}

fn names(tensors: &[TensorMetadata]) -> String {
    let names = tensors.iter().take(20).map(|tensor| tensor.name.chars().take(80).collect::<String>());
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use gifthorse_api::catalogue::Coded;
    use gifthorse_api::v1::layout::Kind;

    use super::*;

    fn tensor(name: &str, datatype: &str, shape: &[i64]) -> TensorMetadata {
        TensorMetadata { name: name.to_owned(), datatype: datatype.to_owned(), shape: shape.to_vec() }
    }

    fn metadata(shape: &[i64]) -> ModelMetadataResponse {
        ModelMetadataResponse {
            inputs: vec![tensor("x", "FP32", shape)],
            outputs: vec![tensor("p", "FP32", &[-1, 10])],
            ..ModelMetadataResponse::default()
        }
    }

    fn link() -> LinkRecord {
        LinkRecord {
            endpoint: "a:1".to_owned(),
            model_name: "m".to_owned(),
            model_version: String::new(),
            input: "x".to_owned(),
            output: "p".to_owned(),
            logits: false,
        }
    }

    fn read(metadata: &ModelMetadataResponse, asked: &v1::Preprocessing) -> Result<ForeignInput, LinkError> {
        ForeignInput::of(metadata, &link(), asked)
    }

    fn plain(shape: &[i64]) -> Result<ForeignInput, LinkError> {
        read(&metadata(shape), &v1::Preprocessing::default())
    }

    fn sides(height: i32, width: i32) -> v1::Preprocessing {
        v1::Preprocessing { height, width, ..v1::Preprocessing::default() }
    }

    #[test]
    fn shapes_say_size_and_layout() {
        let image = |height, width, channels, layout| NetworkInput { height, width, channels, layout };
        for (shape, rows, expected) in [
            (&[-1, 55, 47, 3][..], None, image(55, 47, 3, Layout::Nhwc)),
            (&[0, 28, 28, 1], None, image(28, 28, 1, Layout::Nhwc)),
            (&[-1, 3, 224, 200], None, image(224, 200, 3, Layout::Nchw)),
            (&[1, 3, 32, 32], Some(1), image(32, 32, 3, Layout::Nchw)),
            (&[55, 47, 3], None, image(55, 47, 3, Layout::Nhwc)),
        ] {
            let found = plain(shape).unwrap();
            assert_eq!((found.fixed_rows, found.image), (rows, expected), "{shape:?}");
        }
    }

    #[test]
    fn the_request_says_what_the_server_leaves_free() {
        let asked = v1::Preprocessing { layout: Kind::Nhwc.into(), ..sides(6, 5) };
        let image = NetworkInput { height: 6, width: 5, channels: 3, layout: Layout::Nhwc };
        assert_eq!(read(&metadata(&[-1, -1, -1, -1]), &asked).unwrap().image, image);
        assert_eq!(read(&ModelMetadataResponse::default(), &asked).unwrap().image, image);
        assert_eq!(read(&metadata(&[-1, -1, -1, 3]), &sides(6, 5)).unwrap().image, image);
        let grey = v1::Preprocessing { channel_order: Order::Grey.into(), ..asked };
        assert_eq!(read(&metadata(&[]), &grey).unwrap().image.channels, 1);
        for (shape, asked, field) in [
            (&[-1, -1, -1, 3][..], sides(0, 5), "preprocessing.height"),
            (&[-1, -1, -1, 3], sides(6, -5), "preprocessing.width"),
            (&[-1, -1, -1, -1], sides(6, 5), "preprocessing.layout"),
            (&[-1, 3, 3, 3], sides(0, 0), "preprocessing.layout"),
            (&[-1, 7, 7, 7], sides(0, 0), "preprocessing.layout"),
        ] {
            let error = read(&metadata(shape), &asked).unwrap_err();
            assert_eq!(error.field().as_deref(), Some(field), "{shape:?}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_linked_is_named() {
        let two = ModelMetadataResponse { inputs: vec![tensor("x", "FP32", &[]); 2], ..Default::default() };
        let other = ModelMetadataResponse { inputs: vec![tensor("y", "FP32", &[])], ..Default::default() };
        let bytes = ModelMetadataResponse { inputs: vec![tensor("x", "UINT8", &[])], ..Default::default() };
        let output = ModelMetadataResponse { outputs: vec![tensor("q", "FP32", &[])], ..Default::default() };
        let labels = ModelMetadataResponse { outputs: vec![tensor("p", "INT64", &[])], ..Default::default() };
        for (metadata, field, words) in [
            (two, "endpoint.input", "one input"),
            (other, "endpoint.input", "no \"x\", it has y"),
            (bytes, "endpoint.input", "UINT8"),
            (output, "endpoint.output", "no \"p\", it has q"),
            (labels, "endpoint.output", "INT64"),
            (metadata(&[-1, 5]), "endpoint.input", "[N, H, W, C]"),
            (metadata(&[8, 6, 5, 3]), "endpoint.input", "free count of rows"),
        ] {
            let error = read(&metadata, &v1::Preprocessing::default()).unwrap_err();
            assert_eq!(error.field().as_deref(), Some(field), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
