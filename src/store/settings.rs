//! Settings: named texts.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

impl Store {
    pub fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.read(|db| {
            let mut query = db.prepare_cached("SELECT value FROM settings WHERE key = ?")?;
            Ok(query.query_row([key], |row| row.get(0)).optional()?)
        })
    }

    /// Sets, or with `None` removes.
    pub fn set_setting(&self, key: &str, value: Option<&str>) -> Result<(), StoreError> {
        self.write(|tx| {
            match value {
                Some(value) => {
                    tx.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", params![key, value])?
                }
                None => tx.execute("DELETE FROM settings WHERE key = ?", [key])?,
            };
            Ok(())
        })
    }
}
