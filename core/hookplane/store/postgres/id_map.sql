-- name: endpoints
-- Number of every endpoint, of deleted ones too until they are removed.
select uid, endpoint from endpoint;

-- name: subscriptions
-- Number of every subscription, of deleted ones too until they are removed.
select uid, subscription from subscription;
