//! Immutable, digest-checked artefacts on an object store.
//!
//! [`Store::open`] takes a directory or a bucket; [`Store::models`] and [`Store::datasets`] are its collections, and
//! [`Artefacts`] is the layer on which further ones are built. Rules that hold everywhere:
//!
//! * files are written first, a commit mark last, so a crash leaves nothing that a reader sees;
//! * whatever two processes could race for is one object that is created only if absent;
//! * what is read is compared with the size and SHA-256 that were recorded when it was written;
//! * only operations that every object store has are used.

mod artefacts;
mod blocking;
mod bucket;
mod cache;
mod claim;
mod classes;
mod committed;
mod dataset_record;
mod digest;
mod directory;
mod document;
mod download;
mod error;
mod file_name;
mod folder;
mod import;
mod job_files;
mod model_folder;
mod model_record;
mod models;
mod objects;
mod page;
mod promote;
mod promotion;
mod record_log;
mod record_size;
mod remove;
mod request_id;
mod request_mark;
mod store;
mod stored_file;
mod sweep;
mod unique_id;
mod upload;

pub use artefacts::{ArtefactRecord, ArtefactWriter, Artefacts, Contents};
pub use classes::Classes;
pub use committed::Committed;
pub use dataset_record::{DatasetContents, DatasetRecord, DatasetSource, Datasets, LabelSummary, PixelType};
pub use digest::Sha256Digest;
pub use document::Record;
pub use error::{Result, StoreError};
pub use file_name::{FileName, OriginalName};
pub use import::{ImportStart, ModelImport};
pub use job_files::{CheckpointContents, Checkpoints, JobReportContents, JobReports, checkpoint_name};
pub use model_record::{
    EXPERT_FILE, LINK_FILE, LayerRecord, LinkRecord, MODEL_FILE, ModelRecord, ModelSource,
    ModelSpecification, ParentVersion, Provenance, RepairAnswer, RepairGate, SuspectClass, TensorNames,
};
pub use models::{Model, Models};
pub use page::{Page, PageRequest};
pub use promote::{PromotionRequest, SuspectRule};
pub use promotion::{Etag, Promotion, PromotionCondition};
pub use record_log::{Entry, LogEntry, RecordLogs};
pub use request_id::{Request, RequestId};
pub use store::Store;
pub use stored_file::{StoredFile, StoredFiles, content_digest};
pub use sweep::SweepReport;
pub use unique_id::UniqueId;
