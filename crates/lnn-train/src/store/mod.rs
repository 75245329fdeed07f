//! Files: models, checkpoints, metrics and the folder of a run.
//!
//! Three promises hold for all of them. A file is either its old or its new version, whenever the process
//! is killed ([`write_atomically`]). A damaged file is noticed and named, by a checksum over all its bytes
//! ([`load_model`], [`load_checkpoint`]), which only a model file by another program may lack. Nothing that
//! belongs to another run is overwritten ([`RunFolder`]).

mod atomic;
mod checkpoint;
mod container;
mod error;
mod field_model_file;
mod metrics_log;
mod model_file;
mod model_header;
mod run_folder;
mod state;
mod tensor;

pub(crate) use atomic::{PartialFile, write_unless_there};
pub use atomic::{create_folder, write_atomically};
pub use checkpoint::{
    Checkpoint, CheckpointRecord, FallbackNotice, FoundCheckpoint, align_checkpoints, checkpoint_path, load_checkpoint,
    previous_checkpoint_path, save_checkpoint,
};
pub use error::{Damage, StoreError, TensorProblem};
pub use field_model_file::{FieldModelHeader, LoadedFieldModel, load_field_model, save_field_model};
pub use metrics_log::{MetricsLog, read_metrics};
pub use model_file::{LoadedModel, MODEL_FORMAT, ModelFileFacts, Parameters, load_model, model_file_facts, save_model};
pub use model_header::{Label, ModelHeader, ModelSystemError, Provenance};
pub use run_folder::{FolderConfiguration, RunFolder, RunState, member_name};
pub use tensor::{Element, Elements, Tensor};
