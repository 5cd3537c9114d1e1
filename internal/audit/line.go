package audit

import "time"

// Line is a [store.Event], which converts to it, as it stands in JSON outside of the store. Docs/audit.md names its fields, and
// programs read them.
type Line struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	Result    string    `json:"result"`
	Reason    string    `json:"reason"`
	UserID    string    `json:"user_id"`
	Actor     string    `json:"actor,omitempty"`
	Subject   string    `json:"subject"`
	Method    string    `json:"method"`
	Client    string    `json:"client"`
	RequestID string    `json:"request_id"`
	Count     int64     `json:"count"`
	Chain     []byte    `json:"chain,omitempty"`
}
