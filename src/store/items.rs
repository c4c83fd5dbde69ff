//! Items with their parts and tags: what they are, and how they are read. Changing them is `vectors`' work.

use std::collections::HashMap;
use std::path::PathBuf;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::collections::RootId;
use super::{CAPTION, CollectionId, ContentId, Field, Filter, Store, StoreError, sql_count, unreadable};
use crate::types::{Date, ItemKey};

/// Names one version of an item: a replaced item gets a new one, and none is given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemId(pub i64);

/// One part of one version of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId {
    pub item: ItemId,
    pub part: u16,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum Body {
    Photo {
        width: u32,
        height: u32,
        /// As its decoder is called: `jpeg`, `png` and so on.
        format: String,
        bytes: u64,
        place: Place,
    },
    Faq {
        question: String,
        answer: String,
        language: String,
    },
}

/// Where a photo's original lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// An absolute path; any bytes.
    File {
        #[serde(with = "super::paths::as_text")]
        path: PathBuf,
    },
    Blob(ContentId),
}

/// By what a file is known to be unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    pub size: u64,
    pub mtime_ns: i64,
    pub inode: u64,
}

/// What is known of the files of a root, by key: stamp, and hash of the content.
pub type Stamps = HashMap<ItemKey, (Option<Stamp>, Option<ContentId>)>;

/// An item as it is on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: ItemId,
    pub key: ItemKey,
    pub root: Option<RootId>,
    pub body: Body,
    /// Sorted, each once.
    pub tags: Vec<String>,
    pub extra: Map<String, Value>,
    pub stamp: Option<Stamp>,
    pub content: Option<ContentId>,
    pub date: Option<Date>,
    /// By number, from 0; a caption last.
    pub parts: Vec<PartRecord>,
}

/// A part as it is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRecord {
    pub part: u16,
    pub text: Option<String>,
}

const ITEM: &str = "SELECT i.id, i.key, i.root, i.body, i.extra, i.size, i.mtime_ns, i.inode, i.content, i.date \
     FROM items i";

fn item_of(row: &Row<'_>) -> Result<Item, StoreError> {
    let body: String = row.get(3)?;
    let extra: String = row.get(4)?;
    Ok(Item {
        id: ItemId(row.get(0)?),
        key: key_of(row, 1)?,
        root: row.get::<_, Option<i64>>(2)?.map(RootId),
        body: serde_json::from_str(&body).map_err(|e| unreadable("item", e))?,
        tags: Vec::new(),
        extra: serde_json::from_str(&extra).map_err(|e| unreadable("item", e))?,
        stamp: stamp_of(row, 5)?,
        content: content_of(row, 8)?,
        date: date_of(row, 9)?,
        parts: Vec::new(),
    })
}

pub(super) fn key_of(row: &Row<'_>, column: usize) -> Result<ItemKey, StoreError> {
    row.get::<_, String>(column)?.try_into().map_err(|e| unreadable("item key", e))
}

fn stamp_of(row: &Row<'_>, from: usize) -> Result<Option<Stamp>, StoreError> {
    let Some(size) = row.get::<_, Option<i64>>(from)? else { return Ok(None) };
    // u64 as the i64 of the same bits: SQLite has no wider number.
    let inode: i64 = row.get(from + 2)?;
    Ok(Some(Stamp { size: size.cast_unsigned(), mtime_ns: row.get(from + 1)?, inode: inode.cast_unsigned() }))
}

fn content_of(row: &Row<'_>, column: usize) -> Result<Option<ContentId>, StoreError> {
    Ok(row.get::<_, Option<[u8; 32]>>(column)?.map(ContentId::from_bytes))
}

fn date_of(row: &Row<'_>, column: usize) -> Result<Option<Date>, StoreError> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse()).transpose().map_err(|e| unreadable("date", e))
}

impl Item {
    /// What its caption says, if it has one.
    pub fn caption(&self) -> Option<&str> {
        self.parts.iter().find(|part| part.part == CAPTION)?.text.as_deref()
    }
}

/// Adds tags and parts to an item that was read.
fn complete(db: &Connection, mut item: Item) -> Result<Item, StoreError> {
    let mut tags = db.prepare_cached("SELECT tag FROM item_tags WHERE item = ? ORDER BY tag")?;
    item.tags = tags.query_map([item.id.0], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut parts = db.prepare_cached("SELECT part, text FROM parts WHERE item = ? ORDER BY part")?;
    item.parts = parts
        .query_map([item.id.0], |row| Ok(PartRecord { part: row.get(0)?, text: row.get(1)? }))?
        .collect::<Result<_, _>>()?;
    Ok(item)
}

impl Store {
    /// Items in the order asked for, read together; those that are gone are left out.
    pub fn items(&self, ids: &[ItemId]) -> Result<Vec<Item>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!("{ITEM} WHERE i.id = ?"))?;
            let mut out = Vec::with_capacity(ids.len());
            for id in ids {
                let mut rows = query.query([id.0])?;
                if let Some(row) = rows.next()? {
                    out.push(complete(db, item_of(row)?)?);
                }
            }
            Ok(out)
        })
    }

    pub fn item(&self, collection: CollectionId, key: &ItemKey) -> Result<Option<Item>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(&format!("{ITEM} WHERE i.collection = ? AND i.key = ?"))?;
            let mut rows = query.query(params![collection.0, key.as_str()])?;
            rows.next()?.map(|row| complete(db, item_of(row)?)).transpose()
        })
    }

    /// Items by key, those behind `after`, at most `limit`.
    pub fn list(
        &self,
        collection: CollectionId,
        filter: &Filter,
        after: Option<&ItemKey>,
        limit: usize,
    ) -> Result<Vec<Item>, StoreError> {
        self.read(|db| {
            let mut sql = format!("{ITEM} WHERE i.collection = ?");
            let mut values = vec![Sql::from(collection.0)];
            if let Some(after) = after {
                sql.push_str(" AND i.key > ?");
                values.push(after.as_str().to_owned().into());
            }
            filter.narrow(&mut sql, &mut values);
            sql.push_str(" ORDER BY i.key LIMIT ?");
            values.push(sql_count(limit).into());
            let mut query = db.prepare_cached(&sql)?;
            let mut rows = query.query(params_from_iter(values))?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                out.push(complete(db, item_of(row)?)?);
            }
            Ok(out)
        })
    }

    /// The items that a filter takes, in no order.
    pub fn matching(&self, collection: CollectionId, filter: &Filter) -> Result<Vec<ItemId>, StoreError> {
        self.read(|db| {
            let mut sql = "SELECT i.id FROM items i WHERE i.collection = ?".to_owned();
            let mut values = vec![Sql::from(collection.0)];
            filter.narrow(&mut sql, &mut values);
            let mut query = db.prepare_cached(&sql)?;
            let ids = query.query_map(params_from_iter(values), |row| row.get(0).map(ItemId))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }

    /// Each tag and how many items have it; the most frequent first.
    pub fn tags(&self, collection: CollectionId) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT t.tag, count(*) FROM items i JOIN item_tags t ON t.item = i.id
                 WHERE i.collection = ? GROUP BY t.tag ORDER BY 2 DESC, 1",
            )?;
            let tags = query
                .query_map([collection.0], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
            Ok(tags.collect::<Result<_, _>>()?)
        })
    }

    /// What is known of the files of a root; of an item that has lost a vector nothing but its key, so that it is encoded
    /// again.
    pub fn stamps(&self, collection: CollectionId, root: RootId) -> Result<Stamps, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT key, size, mtime_ns, inode, content, EXISTS
                 (SELECT 1 FROM parts p WHERE p.item = items.id AND p.lost = 1)
                 FROM items WHERE root = ? AND collection = ?",
            )?;
            let mut rows = query.query([root.0, collection.0])?;
            let mut out = HashMap::new();
            while let Some(row) = rows.next()? {
                let lost: bool = row.get(5)?;
                let known = if lost { (None, None) } else { (stamp_of(row, 1)?, content_of(row, 4)?) };
                out.insert(key_of(row, 0)?, known);
            }
            Ok(out)
        })
    }

    /// Notes new stamps of files whose content is the same; unknown keys change nothing.
    pub fn restamp(&self, collection: CollectionId, stamps: &[(ItemKey, Stamp)]) -> Result<(), StoreError> {
        self.write(|tx| {
            let mut update = tx.prepare_cached(
                "UPDATE items SET size = ?, mtime_ns = ?, inode = ? WHERE collection = ? AND key = ?",
            )?;
            for (key, s) in stamps {
                let (size, inode) = (s.size.cast_signed(), s.inode.cast_signed());
                update.execute(params![size, s.mtime_ns, inode, collection.0, key.as_str()])?;
            }
            Ok(())
        })
    }

    /// The root of an item; `None` if there is no such item or it has no root.
    pub fn root_of(&self, collection: CollectionId, key: &ItemKey) -> Result<Option<RootId>, StoreError> {
        self.read(|db| Ok(owner(db, collection, key)?.flatten()))
    }

    /// Those of `keys` that are items of another root, or of none, with that root.
    pub fn owned_elsewhere(
        &self,
        collection: CollectionId,
        root: RootId,
        keys: &[ItemKey],
    ) -> Result<Vec<(ItemKey, Option<RootId>)>, StoreError> {
        self.read(|db| {
            let mut out = Vec::new();
            for key in keys {
                if let Some(other) = owner(db, collection, key)?.filter(|&other| other != Some(root)) {
                    out.push((key.clone(), other));
                }
            }
            Ok(out)
        })
    }

    /// The keys of all items, sorted.
    pub fn keys(&self, collection: CollectionId) -> Result<Vec<ItemKey>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached("SELECT key FROM items WHERE collection = ? ORDER BY key")?;
            let mut rows = query.query([collection.0])?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                out.push(key_of(row, 0)?);
            }
            Ok(out)
        })
    }

    /// The keys of a root's items, sorted.
    pub fn keys_of_root(&self, collection: CollectionId, root: RootId) -> Result<Vec<ItemKey>, StoreError> {
        self.read(|db| {
            let mut query =
                db.prepare_cached("SELECT key FROM items WHERE root = ? AND collection = ? ORDER BY key")?;
            let mut rows = query.query([root.0, collection.0])?;
            let mut out = Vec::new();
            while let Some(row) = rows.next()? {
                out.push(key_of(row, 0)?);
            }
            Ok(out)
        })
    }

    /// The texts of all parts, in the order of their items.
    pub fn texts(&self, collection: CollectionId) -> Result<Vec<String>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT p.text FROM items i JOIN parts p ON p.item = i.id
                 WHERE i.collection = ? AND p.text IS NOT NULL ORDER BY i.id, p.part",
            )?;
            let texts = query.query_map([collection.0], |row| row.get(0))?;
            Ok(texts.collect::<Result<_, _>>()?)
        })
    }

    /// How many parts a collection's field has.
    pub fn parts(&self, collection: CollectionId, field: Field) -> Result<u64, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached(
                "SELECT count(*) FROM items i JOIN parts p ON p.item = i.id
                 WHERE i.collection = ? AND p.part >= ? AND p.part < ?",
            )?;
            let (from, to) = field.parts();
            Ok(query.query_row(params![collection.0, from, to], |row| row.get::<_, i64>(0))?.unsigned_abs())
        })
    }

    /// Parts without a vector in the collection's space: never encoded, lost, or encoded in another space. Captions have a
    /// space of their own and are not among them.
    pub fn lacking_vectors(&self, collection: CollectionId) -> Result<Vec<PartId>, StoreError> {
        self.read(|db| lacking_in(db, collection, Field::Own, Field::Own.space(db, collection)?.as_deref()))
    }
}

/// Parts of a collection's field without a vector in a space.
pub(super) fn lacking_in(
    db: &Connection,
    collection: CollectionId,
    field: Field,
    space: Option<&str>,
) -> Result<Vec<PartId>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT p.item, p.part FROM items i JOIN parts p ON p.item = i.id WHERE i.collection = ?
         AND p.part >= ? AND p.part < ? AND NOT EXISTS (SELECT 1 FROM vectors v JOIN segments s ON s.num = v.segment
                         WHERE v.item = p.item AND v.part = p.part AND s.space = ?)",
    )?;
    let parts = query.query_map(params![collection.0, field.parts().0, field.parts().1, space], part_of)?;
    Ok(parts.collect::<Result<_, _>>()?)
}

pub(super) fn part_of(row: &Row<'_>) -> rusqlite::Result<PartId> {
    Ok(PartId { item: ItemId(row.get(0)?), part: row.get(1)? })
}

/// Outer `None`: no such item.
fn owner(
    db: &Connection,
    collection: CollectionId,
    key: &ItemKey,
) -> Result<Option<Option<RootId>>, StoreError> {
    let mut query = db.prepare_cached("SELECT root FROM items WHERE collection = ? AND key = ?")?;
    let found = query.query_row(params![collection.0, key.as_str()], |row| row.get::<_, Option<i64>>(0));
    Ok(found.optional()?.map(|root| root.map(RootId)))
}
