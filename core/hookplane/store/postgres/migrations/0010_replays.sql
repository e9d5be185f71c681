-- Which deliveries a replay job still waits for: few have one, so this costs the others nothing.
create index delivery_by_replay on delivery (replay) where replay <> '';
