package starting

import (
	"context"
	"fmt"
	"time"
)

// answerNotice is after how long a person is told that nothing has come yet.
const answerNotice = 30 * time.Second

// UntilAnswer bounds how long a first process may take to answer, and tells log when
// that takes a while.
func UntilAnswer(ctx context.Context, limit time.Duration, log func(line string)) (context.Context, context.CancelFunc) {
	notice := time.AfterFunc(answerNotice, func() {
		log(fmt.Sprintf("its first process has not answered for %v; sbx waits %v for it", answerNotice, limit))
	})
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("nothing came within %v: it hangs, or this host is too slow or busy for it", limit))
	return ctx, func() { notice.Stop(); cancel() }
}
