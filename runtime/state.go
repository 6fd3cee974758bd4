package runtime

import "github.com/sbx-dev/sbx/internal/state"

// The parts of a sandbox's folder. The guest's side sees "sbx" as /.sbx, read-only;
// the channel's socket is outside of all that it sees.
const (
	rootDir       = state.Root
	stageDir      = state.Stage
	sbxDir        = state.Own
	filesDir      = state.Files
	bootDir       = state.Boot
	exportsDir    = state.Exports
	channelSocket = state.Channel
	keeperSocket  = state.Keeper
	keeperLock    = state.KeeperLock
	logDir        = state.Log
	profilePart   = state.AppArmor
	endFile       = state.Ended
	forwardRecord = state.Forward
)
