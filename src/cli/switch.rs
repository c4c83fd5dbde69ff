//! `simile collections switch`: here, or handed to the server that holds the data folder.

use super::progress::Bar;
use super::writer::{self, Writer};
use super::{CliError, Global, exit, output, remote, stop};
use crate::ingest::switch::{self, SwitchReport, SwitchRequest, Switched};
use crate::store::{Field, StoreError};
use crate::types::{CollectionName, EncoderName};

/// Encode a collection again with another encoder, beside the use of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It can be stopped at any time; the same command goes on where it was. The collection keeps its
encoder until all is encoded. Without --encoder it goes on, or fits the collection's own encoder
(ngram-hash) anew on its texts.

Examples:
  simile collections switch faq --encoder bge-base-zh-v1.5
  simile collections switch photos --encoder resnet50 --drop-missing
  simile collections switch photos --captions bge-base-en-v1.5
  simile collections switch faq --cancel")]
pub struct Args {
    /// The collection
    #[arg(value_name = "NAME")]
    collection: CollectionName,
    /// The encoder to switch to; fetched first if it is not on disk
    #[arg(long, value_name = "NAME")]
    encoder: Option<EncoderName>,
    /// The encoder of its photos' captions to switch to; without a name it goes on with that switch
    #[arg(long, value_name = "ENCODER", num_args = 0..=1, conflicts_with = "encoder")]
    captions: Option<Option<EncoderName>>,
    /// Take out items that cannot be encoded again (a photo whose original is gone; with --captions, only their captions), rather than wait
    #[arg(long)]
    drop_missing: bool,
    /// Give a switch up: the collection stays as it is
    #[arg(long, conflicts_with_all = ["encoder", "drop_missing"])]
    cancel: bool,
}

pub fn run(global: &Global, args: Args) -> Result<u8, CliError> {
    if args.cancel {
        return cancel(global, &args.collection, args.captions.is_some());
    }
    let (collection, drop_missing) = (args.collection, args.drop_missing);
    let captions = args.captions.is_some();
    let encoder = args.encoder.or(args.captions.flatten());
    let request = SwitchRequest { collection, encoder, drop_missing, captions };
    let tracker = stop::tracker();
    let switched = match writer::open(global)? {
        Writer::Here(library) => {
            let bar = Bar::start(&tracker, !global.json);
            Some(bar.watch(|| switch::run(&library, &request, &tracker))?)
        }
        Writer::There(hint) => remote::switch(hint.as_ref(), &request, &tracker, !global.json)?,
    };
    let Some(Switched { report, cancelled }) = switched else { return Ok(exit::STOPPED) };
    show(global, &report, cancelled);
    Ok(match (cancelled, report.swapped) {
        (true, _) => exit::STOPPED,
        (false, true) => 0,
        (false, false) => exit::REJECTS,
    })
}

fn cancel(global: &Global, collection: &CollectionName, captions: bool) -> Result<u8, CliError> {
    let was = match writer::open(global)? {
        Writer::Here(library) => {
            let field = if captions { Field::Captions } else { Field::Own };
            library.collection(collection)?.cancel_switch(field)?
        }
        Writer::There(hint) => remote::cancel_switch(hint.as_ref(), collection, captions)?,
    };
    if !was {
        return Err(StoreError::NoSwitch.into());
    }
    if global.json {
        output::json(&serde_json::json!({"cancelled": was}));
    } else {
        say!("{collection} keeps its encoder");
    }
    Ok(0)
}

fn show(global: &Global, report: &SwitchReport, cancelled: bool) {
    if global.json {
        return output::json(report);
    }
    for reject in &report.missing {
        tell!(
            "cannot be encoded again {}: {} [{}]",
            output::one_line(&reject.path),
            output::plain(&reject.reason),
            reject.code
        );
    }
    let (encoder, encoded) = (&report.encoder, report.encoded);
    if report.swapped {
        say!("{encoder} took over, {encoded} encoded, {} dropped", report.dropped);
    } else if cancelled {
        tell!("stopped after {encoded}; the same command goes on");
    } else {
        say!("{encoded} encoded, {} missing; the encoder stays as it was", report.missing.len());
        tell!("put the originals back and run it again, or add --drop-missing to let these items go");
    }
}
