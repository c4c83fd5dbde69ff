-- Photos have captions: parts numbered from 32768 on, whose vectors lie in a text space of the collection's own.

ALTER TABLE collections ADD COLUMN caption_encoder TEXT;
ALTER TABLE collections ADD COLUMN caption_space TEXT REFERENCES spaces(id);

-- `2024`, `2024-05`, `2024-05-01` or `2024-05-01T18:30:00`: they sort as text.
ALTER TABLE items ADD COLUMN date TEXT;
CREATE INDEX items_by_date ON items(collection, date) WHERE date IS NOT NULL;
