package splice

// Move is move.
var Move = move
