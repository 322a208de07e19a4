"""XEP-0357 (Push Notifications): what a server publishes to push services for users who are offline."""
