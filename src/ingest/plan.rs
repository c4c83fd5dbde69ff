//! What an import will do, settled before the first file is read: collection, encoder, root, prefix, recipe.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::caption_file::CaptionFile;
use super::error::IngestError;
use super::roots::{self, Roots};
use super::{Request, Source, key};
use crate::encoder::Encoder;
use crate::index::Recipe;
use crate::library::{Collection, Library, LibraryError, LoadedEncoder, NewCollection, Tracker, Wanted};
use crate::store::{Field, RootKind, RootRecord, StoreError, text_of_path};
use crate::text::{Language, ngram::Weights};
use crate::types::{CollectionName, EncoderName, Kind};

/// A settled import.
pub struct Plan {
    pub source: Source,
    pub collection: Arc<Collection>,
    pub root: RootRecord,
    /// To which sources the files of a folder belong.
    pub roots: Roots,
    /// This import made the collection.
    pub new: bool,
    pub named: Option<EncoderName>,
    pub prune: bool,
    pub force: bool,
    pub rehash: bool,
    /// Read before anything else, so that what is wrong with it is told at once.
    pub captions: Option<CaptionFile>,
    pub caption_encoder: Option<EncoderName>,
    /// What the collection had before this import asked for another.
    recipe_before: Recipe,
}

impl Plan {
    pub fn make(library: &Library, request: &Request) -> Result<Self, IngestError> {
        let source = source_of(library, request)?;
        if request.captions.is_some() && source.kind() == Kind::Faq {
            return Err(IngestError::CaptionsOfFaq);
        }
        let captions = request.captions.as_deref().map(CaptionFile::read).transpose()?;
        let prefix = request.prefix.as_deref().map(key::check_prefix).transpose()?;
        let target = Target {
            name: &request.collection,
            kind: source.kind(),
            encoder: request.encoder.as_ref(),
            recipe: request.recipe,
        };
        let there = library.collection(&request.collection).ok();
        let new = there.is_none();
        if let (Some(there), Some(wanted)) = (&there, &request.caption_encoder) {
            refuse_other_captions(there, wanted)?;
        }
        let recipe_before = there.map_or(Ok(Recipe::Flat), |there| there.recipe())?;
        let collection = target.open(library)?;
        let (kind, path) = root_of(&source);
        let root = remembered_root(&collection, kind, &path, prefix)?;
        let roots = Roots::of(&collection, full(&path), root.clone())?;
        Ok(Self {
            source,
            collection,
            root,
            roots,
            new,
            named: request.encoder.clone(),
            prune: request.prune,
            force: request.force,
            rehash: request.rehash,
            captions,
            caption_encoder: request.caption_encoder.clone(),
            recipe_before,
        })
    }

    /// A recipe that cannot be is not kept: the collection has the one it had, and its index.
    pub fn put_recipe_back(&self, tracker: &Tracker) -> Result<(), IngestError> {
        self.collection.set_recipe(self.recipe_before)?;
        Ok(self.collection.build_indexes(tracker)?)
    }
}

/// A collection to import into; made if it is not there.
pub struct Target<'a> {
    pub name: &'a CollectionName,
    pub kind: Kind,
    pub encoder: Option<&'a EncoderName>,
    pub recipe: Option<Recipe>,
}

impl Target<'_> {
    /// # Errors
    /// `collection.kind` if it holds something else, `collection.other_encoder` if it has another encoder,
    /// and what is wrong with encoder or recipe.
    pub fn open(&self, library: &Library) -> Result<Arc<Collection>, IngestError> {
        let collection = match library.collection(self.name) {
            Ok(there) => {
                self.check(&there)?;
                there
            }
            Err(LibraryError::UnknownCollection { .. }) => self.make(library)?,
            Err(e) => return Err(e.into()),
        };
        if let Some(recipe) = self.recipe {
            collection.set_recipe(recipe)?;
        }
        Ok(collection)
    }

    fn make(&self, library: &Library) -> Result<Arc<Collection>, LibraryError> {
        let new = NewCollection {
            name: self.name.clone(),
            kind: self.kind,
            encoder: self.encoder.cloned(),
            recipe: self.recipe.unwrap_or(Recipe::Flat),
        };
        match library.create(&new) {
            // Somebody else made it in this very moment.
            Err(LibraryError::CollectionExists { .. } | LibraryError::Store(StoreError::Exists { .. })) => {
                let there = library.collection(self.name)?;
                self.check(&there)?;
                Ok(there)
            }
            made => made,
        }
    }

    fn check(&self, there: &Collection) -> Result<(), LibraryError> {
        if there.kind() != self.kind {
            let name = self.name.clone();
            return Err(LibraryError::WrongKind { name, has: there.kind(), wanted: self.kind });
        }
        let record = there.record()?;
        match (self.encoder, record.encoder) {
            (Some(wanted), Some(has)) if *wanted != has && record.space.is_some() => {
                Err(LibraryError::OtherEncoder {
                    collection: self.name.clone(),
                    has: has.to_string(),
                    wanted: wanted.to_string(),
                })
            }
            _ => Ok(()),
        }
    }
}

/// What the first import of a collection tells about its texts.
#[derive(Default, Clone, Copy)]
pub struct First<'a> {
    pub named: Option<&'a EncoderName>,
    pub language: Option<Language>,
    /// All that come, for an encoder that fits a table on them.
    pub texts: &'a [&'a str],
}

/// The collection's own encoder, or the one that a new collection gets; its space becomes the collection's.
pub fn encoder_for(
    library: &Library,
    collection: &Collection,
    first: First<'_>,
    tracker: &Tracker,
) -> Result<Arc<LoadedEncoder>, IngestError> {
    let record = collection.record()?;
    if record.space.is_some() {
        return Ok(collection.encoder()?);
    }
    let named = first.named.or(record.encoder.as_ref());
    let wanted = Wanted { kind: collection.kind(), language: first.language, named };
    let encoder = library.encoder_for(wanted, tracker)?;
    let encoder = fitted(library, encoder, first.texts);
    collection.set_encoder(encoder.about())?;
    Ok(encoder)
}

/// The encoder as it is best for these texts: hashed n-grams are weighed by how many of them hold each.
pub fn fitted<T: AsRef<str>>(
    library: &Library,
    encoder: Arc<LoadedEncoder>,
    texts: &[T],
) -> Arc<LoadedEncoder> {
    if encoder.about().ngram_weights().is_none() {
        return encoder;
    }
    let weights = Weights::fit(texts);
    if weights.texts() == 0 {
        return encoder;
    }
    library.encoders().wrap(Encoder::ngram_hash(Some(weights)))
}

/// Encodes and commits, and again if a switch of encoders came between the two.
pub fn settle<T>(mut attempt: impl FnMut() -> Result<T, IngestError>) -> Result<T, IngestError> {
    const TRIES: usize = 3;
    for _ in 1..TRIES {
        match attempt() {
            Err(IngestError::Library(e)) if Collection::swapped_meanwhile(&e) => {}
            other => return other,
        }
    }
    attempt()
}

/// # Errors
/// `collection.other_encoder` if its captions have another encoder than the one named.
fn refuse_other_captions(collection: &Collection, wanted: &EncoderName) -> Result<(), IngestError> {
    let record = collection.record()?;
    match Field::Captions.of(&record).0 {
        Some(has) if has != wanted => Err(IngestError::OtherCaptionEncoder {
            collection: collection.name().clone(),
            has: has.clone(),
            wanted: wanted.clone(),
        }),
        _ => Ok(()),
    }
}

/// The encoder of a collection's captions, or the one that its first captions get.
///
/// # Errors
/// `collection.other_encoder` if another one is named than it has.
pub fn caption_encoder_for(
    library: &Library,
    collection: &Collection,
    named: Option<&EncoderName>,
    language: Option<Language>,
    tracker: &Tracker,
) -> Result<Arc<LoadedEncoder>, IngestError> {
    if let Some(wanted) = named {
        refuse_other_captions(collection, wanted)?;
    }
    if let Some(encoder) = collection.caption_encoder()? {
        return Ok(encoder);
    }
    // Captions are texts, as an FAQ's are.
    let wanted = Wanted { kind: Kind::Faq, language, named };
    let encoder = library.encoder_for(wanted, tracker)?;
    collection.set_caption_encoder(encoder.about())?;
    Ok(encoder)
}

/// Told by the path itself; a path that is gone may still be pruned if it is a root of the collection.
fn source_of(library: &Library, request: &Request) -> Result<Source, IngestError> {
    match Source::of(&request.path) {
        Err(IngestError::Missing { path }) if request.prune => {
            let known = library.collection(&request.collection).ok().is_some_and(|c| {
                let roots = c.store().roots(c.id()).unwrap_or_default();
                roots::around(&roots, &full(&path)).is_some()
            });
            if known { Ok(Source::Folder(path)) } else { Err(IngestError::Missing { path }) }
        }
        other => other,
    }
}

/// What a collection remembers of a source: a photo's root is its folder.
fn root_of(source: &Source) -> (RootKind, PathBuf) {
    match source {
        Source::Folder(path) => (RootKind::Folder, path.clone()),
        Source::Photo(path) => {
            let full = path.canonicalize().unwrap_or_else(|_| path.clone());
            (RootKind::Folder, full.parent().unwrap_or(Path::new("/")).to_owned())
        }
        Source::Table(path) => (RootKind::Table, path.clone()),
    }
}

/// The canonical path.
fn full(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

/// The canonical path as text; the same folder has the same name however it was typed.
fn root_name(path: &Path) -> String {
    text_of_path(&full(path))
}

/// The root with the prefix given now, or the one it had. A folder within one that is a root already belongs to that one,
/// unless a prefix is given.
fn remembered_root(
    collection: &Collection,
    kind: RootKind,
    path: &Path,
    prefix: Option<String>,
) -> Result<RootRecord, IngestError> {
    let roots = collection.store().roots(collection.id())?;
    let around = roots::around(&roots, &full(path)).filter(|_| kind == RootKind::Folder && prefix.is_none());
    match around {
        Some(around) => Ok(around),
        None => root(collection, kind, &root_name(path), prefix),
    }
}

/// The root of that name, made if it is new. A prefix given for a known root must be the one it has.
pub fn root(
    collection: &Collection,
    kind: RootKind,
    name: &str,
    prefix: Option<String>,
) -> Result<RootRecord, IngestError> {
    let roots = collection.store().roots(collection.id())?;
    let known = roots.into_iter().find(|root| root.kind == kind && root.name == name);
    match known {
        Some(root) if prefix.is_none() || prefix == root.prefix => Ok(root),
        _ => Ok(collection.store().add_root(collection.id(), kind, name, prefix.as_deref())?),
    }
}

/// Refuses keys that another root of the collection has already.
pub fn refuse_collisions<'a>(
    collection: &Collection,
    root: &RootRecord,
    keys: impl Iterator<Item = &'a crate::types::ItemKey>,
) -> Result<(), IngestError> {
    let keys: Vec<_> = keys.cloned().collect();
    let taken = collection.store().owned_elsewhere(collection.id(), root.id, &keys)?;
    let Some((key, owner)) = taken.first() else { return Ok(()) };
    let roots = collection.store().roots(collection.id())?;
    let other =
        roots.into_iter().find(|r| Some(r.id) == *owner).map_or("another source".to_owned(), |r| r.name);
    Err(IngestError::Collides { count: taken.len(), example: key.to_string(), other })
}
