"""What is told in the status of resources; pure but for the writer."""
