-- name: endpoints
select uid, endpoint from endpoint;

-- name: subscriptions
select uid, subscription from subscription;
