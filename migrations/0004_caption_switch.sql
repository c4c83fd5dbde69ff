-- A collection's captions can be switched to another encoder too, each of its fields by itself.
CREATE TABLE switches_of_fields (
    collection INTEGER NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    -- 0: its own space, 1: that of its captions.
    field INTEGER NOT NULL,
    -- The space that is to go.
    old TEXT NOT NULL REFERENCES spaces(id),
    new TEXT NOT NULL REFERENCES spaces(id),
    encoder TEXT NOT NULL,
    begun INTEGER NOT NULL,
    PRIMARY KEY (collection, field)
) WITHOUT ROWID;
INSERT INTO switches_of_fields (collection, field, old, new, encoder, begun)
    SELECT collection, 0, old, new, encoder, begun FROM switches;
DROP TABLE switches;
ALTER TABLE switches_of_fields RENAME TO switches;
