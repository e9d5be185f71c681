"""What both planes must agree on about the network; pure, nothing here opens a connection.

`addresses` decides which addresses and URLs deliveries may go to, `certificates` reads PEM texts
and says what is wrong with them, `headers` names the headers that belong to a connection. Every
check raises InvalidValue with a message that says what would be right and shows no secret.
"""
