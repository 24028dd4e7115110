//! Messages as bytes, and the little that is read of them before it is known where they go.

use bytes::{Buf, BufMut, Bytes};
use prost::{DecodeError, Message};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Leaves messages as they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}

/// The fields in which `ModelInferRequest`, `ModelMetadataRequest` and `ModelConfigRequest` agree. It is read by
/// the same decoder as the whole message, so both name the same model however the message was written.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Named {
    #[prost(string, tag = "1")]
    pub(super) model: String,
    #[prost(string, tag = "2")]
    pub(super) version: String,
}

impl Named {
    pub(super) fn read(message: &Bytes) -> Result<Self, Status> {
        Self::decode(message.clone()).map_err(undecodable)
    }
}

/// `ModelStreamInferResponse` whose answer is bytes still.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct StreamItem {
    #[prost(string, tag = "1")]
    pub(super) error_message: String,
    #[prost(bytes = "bytes", optional, tag = "2")]
    pub(super) infer_response: Option<Bytes>,
}

/// The answer to bytes that are no message, as generated servers give it.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn undecodable(error: DecodeError) -> Status {
    Status::internal(format!("failed to decode Protobuf message: {error}"))
}

#[cfg(test)]
mod tests {
    use gifthorse_api::inference::{
        ModelInferRequest, ModelInferResponse, ModelMetadataRequest, ModelStreamInferResponse,
    };

    use super::*;

    fn encoded(message: &impl Message) -> Bytes {
        message.encode_to_vec().into()
    }

    #[test]
    fn the_name_is_read_as_the_whole_message_reads_it() {
        let request = |name: &str| ModelInferRequest {
            model_name: name.to_owned(),
            model_version: "3".to_owned(),
            raw_input_contents: vec![Bytes::from_static(b"pixels")],
            ..ModelInferRequest::default()
        };
        // A field given twice: the last one counts.
        let twice: Bytes = [encoded(&request("open")), encoded(&request("guarded"))].concat().into();
        let named = Named::read(&twice).unwrap();
        assert_eq!((named.model.as_str(), named.version.as_str()), ("guarded", "3"));
        assert_eq!(ModelInferRequest::decode(twice).unwrap().model_name, named.model);

        let metadata = ModelMetadataRequest { name: "m".to_owned(), version: "4".to_owned() };
        let named = Named::read(&encoded(&metadata)).unwrap();
        assert_eq!((named.model.as_str(), named.version.as_str()), ("m", "4"));
        assert!(Named::read(&Bytes::from_static(&[0x0a, 0xff])).is_err());
    }

    #[test]
    fn an_item_of_bytes_is_an_item() {
        let answer = ModelInferResponse { id: "7".to_owned(), ..ModelInferResponse::default() };
        let item = StreamItem { error_message: "no".to_owned(), infer_response: Some(encoded(&answer)) };
        let read = ModelStreamInferResponse::decode(encoded(&item)).unwrap();
        assert_eq!((read.error_message.as_str(), read.infer_response), ("no", Some(answer)));
    }
}
