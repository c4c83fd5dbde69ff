-- A collection on its way to another space: that is filled beside the one it has, until none of its parts lacks a vector.
CREATE TABLE switches (
    collection INTEGER PRIMARY KEY REFERENCES collections(id) ON DELETE CASCADE,
    -- The space that is to go.
    old TEXT NOT NULL REFERENCES spaces(id),
    new TEXT NOT NULL REFERENCES spaces(id),
    encoder TEXT NOT NULL,
    begun INTEGER NOT NULL
);

-- What an encoder fitted on a collection; its hash is in the descriptor.
ALTER TABLE spaces ADD COLUMN fitted BLOB;
