package bound

// Owner is a user and a group of the host to whom files belong.
type Owner struct{ UID, GID int }
