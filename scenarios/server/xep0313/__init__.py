"""XEP-0313: the archives of accounts and of rooms, with the pages of XEP-0059 and the ids of XEP-0359."""
