"""What people and machines are told about events and objects while webhooks flow.

`activity` is the log of single requests and attempts; `operational` publishes events about a
namespace's own objects into its log; `states` sums up in one word what senders and targets do. No
message ever holds a secret or a part of a payload.
"""
