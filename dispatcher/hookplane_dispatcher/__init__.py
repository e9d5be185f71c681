"""The dispatcher: reads event logs, filters, signs, sends, retries, settles."""
