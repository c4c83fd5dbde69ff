//! Captions, tags and dates of photos: from a table beside them, or with one photo. Only captions that changed are encoded.

use std::collections::{HashMap, HashSet};

use super::caption_file::CaptionFile;
use super::error::IngestError;
use super::{Reject, Report, key, plan};
use crate::encoder::EncoderError;
use crate::library::{Collection, Library, LibraryError, Phase, Tracker, Urgency, keywords};
use crate::store::{Description, ItemId};
use crate::text;
use crate::text::table::captions::CaptionRow;
use crate::types::{Date, EncoderName, ItemKey};

/// Captions encoded and committed together.
const BATCH: usize = 16;
/// Longest caption, in bytes; encoders read less.
const LONGEST: usize = 16 << 10;
/// What is told of one photo; `None` leaves what is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Empty: the caption is to go.
    pub caption: Option<String>,
    pub tags: Option<Vec<String>>,
    /// Inner `None`: the date is to go.
    pub date: Option<Option<Date>>,
}

/// Captions on their way to photos.
pub struct CaptionImport<'a> {
    pub library: &'a Library,
    pub collection: &'a Collection,
    /// Those that the tables may tell of.
    pub keys: Vec<ItemKey>,
    /// Before the keys that the tables leave it out of.
    pub prefix: Option<&'a str>,
    pub named: Option<&'a EncoderName>,
}

impl CaptionImport<'_> {
    /// Tells every photo what the tables tell of it; of two tables the later counts. Returns whether it was
    /// stopped by wish.
    ///
    /// # Errors
    /// What stops encoder or store; what is wrong with one line goes into the report.
    pub fn run(
        &self,
        files: Vec<CaptionFile>,
        report: &mut Report,
        tracker: &Tracker,
    ) -> Result<bool, IngestError> {
        let before = report.rejected.len();
        let names = Names::of(&self.keys, self.prefix);
        let held = self.collection.captions().items();
        let mut changes = Vec::new();
        for file in files {
            let reject = |line: u64, code: &str, reason: String| Reject {
                path: format!("{}:{line}", file.name),
                code: code.to_owned(),
                reason,
            };
            report
                .rejected
                .extend(file.captions.rejects.iter().map(|e| reject(e.line, e.code, e.reason.clone())));
            for row in file.captions.rows {
                let line = row.line;
                let found = names.find(&row.photo).and_then(|key| Ok((key, checked(row)?)));
                match found {
                    Ok((key, told)) => {
                        let change = change(self.collection, &held, key, told)?;
                        changes.extend(change.map(|change| (format!("{}:{line}", file.name), change)));
                    }
                    Err((code, reason)) => report.rejected.push(reject(line, code, reason)),
                }
            }
        }
        report.rejected[before..].iter().for_each(|_| tracker.reject());
        self.take(changes, report, tracker)
    }

    fn take(
        &self,
        changes: Vec<(String, Change)>,
        report: &mut Report,
        tracker: &Tracker,
    ) -> Result<bool, IngestError> {
        let texts = changes.iter().filter_map(|(_, change)| change.to_encode());
        let language = Some(text::language_needed(texts));
        tracker.begin(Phase::Indexing, changes.len() as u64);
        let mut settled = false;
        let mut changes = changes.into_iter();
        loop {
            let mut batch: Vec<(String, Change)> = changes.by_ref().take(BATCH).collect();
            if batch.is_empty() || tracker.cancelled() {
                return Ok(tracker.cancelled());
            }
            let count = batch.len() as u64;
            let wanted = batch.iter().any(|(_, change)| change.to_encode().is_some());
            if wanted && !settled {
                plan::caption_encoder_for(self.library, self.collection, self.named, language, tracker)?;
                settled = true;
                tracker.begin(Phase::Indexing, count + changes.len() as u64);
            }
            let mut wordless = Vec::new();
            plan::settle(|| {
                wordless.extend(encode(self.collection, &mut batch, Urgency::Bulk)?);
                write(self.collection, &batch)
            })?;
            for (path, reason) in wordless {
                tracker.reject();
                report.rejected.push(Reject { path, code: "text.empty".to_owned(), reason });
            }
            report.captioned += batch.len() as u64;
            tracker.advance(count);
        }
    }
}

/// Tells one photo; returns whether anything changed. The answer comes after the commit.
///
/// # Errors
/// `text.empty` for a caption that an encoder finds nothing in, `caption.too_long`, and what stops encoder or store.
pub fn tell(
    library: &Library,
    collection: &Collection,
    key: &ItemKey,
    told: Told,
    urgency: Urgency,
) -> Result<bool, IngestError> {
    if told == Told::default() {
        return Ok(false);
    }
    check_length(told.caption.as_deref()).map_err(|bytes| IngestError::LongCaption {
        key: key.clone(),
        bytes,
        max: LONGEST,
    })?;
    let held = collection.captions().items();
    let Some(change) = change(collection, &held, key, told)? else { return Ok(false) };
    let mut batch = vec![(String::new(), change)];
    let language = batch[0].1.to_encode().map(text::language);
    if language.is_some() {
        plan::caption_encoder_for(library, collection, None, language, &Tracker::default())?;
    }
    plan::settle(|| {
        if !encode(collection, &mut batch, urgency)?.is_empty() {
            return Err(EncoderError::EmptyText { at: 0 }.into());
        }
        write(collection, &batch)
    })?;
    Ok(true)
}

fn write(collection: &Collection, batch: &[(String, Change)]) -> Result<(), IngestError> {
    let described: Vec<Description> = batch.iter().map(|(_, change)| change.description.clone()).collect();
    Ok(collection.describe(&described)?)
}

/// Takes the captions of some photos away; the photos, their tags and dates stay. Returns how many had one.
pub fn forget(collection: &Collection, keys: &[ItemKey]) -> Result<u64, LibraryError> {
    let mut described = Vec::new();
    for key in keys {
        let Some(item) = collection.store().item(collection.id(), key)? else { continue };
        if item.caption().is_none() {
            continue;
        }
        let words = keywords(key, &item.tags, None);
        let (tags, date) = (item.tags, item.date);
        let (caption, vectors) = (None, Vec::new());
        described.push(Description { key: key.clone(), caption, vectors, tags, date, words });
    }
    collection.describe(&described)?;
    Ok(described.len() as u64)
}

/// What is to be written of one photo.
struct Change {
    description: Description,
    /// Its caption is new, or has no vector.
    encode: bool,
}

impl Change {
    fn to_encode(&self) -> Option<&str> {
        self.description.caption.as_deref().filter(|_| self.encode)
    }
}

/// `None` if all that is told is known.
fn change(
    collection: &Collection,
    held: &HashSet<ItemId>,
    key: &ItemKey,
    told: Told,
) -> Result<Option<Change>, IngestError> {
    let item = collection.get(key)?;
    let caption = match told.caption {
        Some(text) => Some(text.trim().to_owned()).filter(|text| !text::normalise(text).is_empty()),
        None => item.caption().map(str::to_owned),
    };
    let mut tags = told.tags.unwrap_or_else(|| item.tags.clone());
    tags.sort();
    tags.dedup();
    let date = told.date.unwrap_or_else(|| item.date.clone());
    let new = caption.as_deref() != item.caption();
    let encode = caption.is_some() && (new || !held.contains(&item.id));
    if !new && !encode && tags == item.tags && date == item.date {
        return Ok(None);
    }
    let words = keywords(key, &tags, caption.as_deref());
    let description = Description { key: key.clone(), caption, vectors: Vec::new(), tags, date, words };
    Ok(Some(Change { description, encode }))
}

/// Gives the captions of a batch their vectors, of each encoder of now. Those in which the encoder finds no word leave the
/// batch, with the reason.
fn encode(
    collection: &Collection,
    batch: &mut Vec<(String, Change)>,
    urgency: Urgency,
) -> Result<Vec<(String, String)>, IngestError> {
    let mut wordless = Vec::new();
    if batch.iter().all(|(_, change)| change.to_encode().is_none()) {
        return Ok(wordless);
    }
    let encoding = collection.caption_encoding()?;
    loop {
        let asked: Vec<usize> = (0..batch.len()).filter(|&i| batch[i].1.to_encode().is_some()).collect();
        let texts: Vec<&str> = asked.iter().filter_map(|&i| batch[i].1.to_encode()).collect();
        if texts.is_empty() {
            return Ok(wordless);
        }
        match encoding.texts(&texts, urgency) {
            Ok(vectors) => {
                asked.into_iter().zip(vectors).for_each(|(i, made)| batch[i].1.description.vectors = made);
                return Ok(wordless);
            }
            Err(e @ EncoderError::EmptyText { at }) if at < asked.len() => {
                let (path, _) = batch.remove(asked[at]);
                wordless.push((path, e.to_string()));
            }
            Err(e) => return Err(e.into()),
        }
    }
}

fn checked(row: CaptionRow) -> Result<Told, Refused> {
    if let Err(bytes) = check_length(row.caption.as_deref()) {
        return Err((
            "caption.too_long",
            format!("the caption has {bytes} bytes, at most {LONGEST} are taken; shorten it"),
        ));
    }
    Ok(Told { caption: row.caption, tags: row.tags, date: row.date })
}

fn check_length(caption: Option<&str>) -> Result<(), usize> {
    let bytes = caption.map_or(0, str::len);
    if bytes > LONGEST { Err(bytes) } else { Ok(()) }
}

type Refused = (&'static str, String);

/// Photos by the names that a table may give them.
struct Names<'a> {
    prefix: Option<&'a str>,
    keys: HashSet<&'a ItemKey>,
    /// Key and its path below the root in lower case, by file name in lower case.
    by_file: HashMap<String, Vec<(ItemKey, String)>>,
}

impl<'a> Names<'a> {
    fn of(keys: &'a [ItemKey], prefix: Option<&'a str>) -> Self {
        let mut by_file: HashMap<String, Vec<(ItemKey, String)>> = HashMap::new();
        for key in keys {
            let own = prefix.and_then(|p| key.as_str().strip_prefix(p)?.strip_prefix('/'));
            let path = own.unwrap_or(key.as_str()).to_lowercase();
            by_file.entry(file_of(&path).to_owned()).or_default().push((key.clone(), path));
        }
        Self { prefix, keys: keys.iter().collect(), by_file }
    }

    /// The photo with that path below the root; else the one whose path ends so (a file name alone), or that the path ends
    /// with (a folder too much).
    fn find(&self, name: &str) -> Result<&ItemKey, Refused> {
        let name = name.trim_start_matches("./").trim_start_matches('/');
        for prefix in [self.prefix, None] {
            if let Some(key) =
                key::with_prefix(prefix, name).ok().and_then(|key| self.keys.get(&key).copied())
            {
                return Ok(key);
            }
        }
        let name = name.to_lowercase();
        let alike = self.by_file.get(file_of(&name)).map(Vec::as_slice).unwrap_or_default();
        let ends = |long: &str, short: &str| {
            long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        };
        let longest = alike.iter().filter(|(_, path)| ends(&name, path)).max_by_key(|(_, path)| path.len());
        if let Some((key, _)) = longest {
            return Ok(key);
        }
        let below: Vec<&ItemKey> =
            alike.iter().filter(|(_, path)| ends(path, &name)).map(|(key, _)| key).collect();
        match below.as_slice() {
            [key] => Ok(key),
            [] => Err((
                "caption.no_photo",
                format!("there is no photo {name:?} here; write its path below the folder"),
            )),
            [one, two, ..] => {
                let (one, two) = (one.as_str(), two.as_str());
                Err((
                    "caption.ambiguous",
                    format!("{name:?} may be {one:?} or {two:?}; write its path below the folder"),
                ))
            }
        }
    }
}

fn file_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_is_known_by_its_path_and_by_its_name_if_that_is_its_own() {
        let key = |text: &str| text.parse::<ItemKey>().unwrap();
        let all = ["p/2023/a.jpg", "p/2024/a.jpg", "p/2024/B.JPG", "p/a.jpg"];
        let all = all.map(key);
        let names = Names::of(&all, Some("p"));
        for (name, found) in [
            ("2024/a.jpg", "p/2024/a.jpg"),
            ("p/2024/a.jpg", "p/2024/a.jpg"),
            ("./a.jpg", "p/a.jpg"),
            ("b.jpg", "p/2024/B.JPG"),
            ("/home/me/2023/a.jpg", "p/2023/a.jpg"),
            ("/home/me/elsewhere/a.jpg", "p/a.jpg"),
        ] {
            assert_eq!(names.find(name).unwrap().as_str(), found, "{name}");
        }
        assert_eq!(names.find("c.jpg").unwrap_err().0, "caption.no_photo");
        let both = ["1/a.jpg", "2/a.jpg"].map(key);
        let two = Names::of(&both, None);
        assert_eq!(two.find("A.jpg").unwrap_err().0, "caption.ambiguous");
        assert_eq!(two.find("../a.jpg").unwrap_err().0, "caption.no_photo");
    }
}
