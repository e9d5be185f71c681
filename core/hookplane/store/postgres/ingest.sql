-- name: append
select ordinal, original, conflict from append_1($1, $2, $3, $4, $5, $6, $7, $8, $9);
