package passport

import (
	"errors"
	"net/http"
	"unicode/utf8"
)

const maxMessages = 16

// Message is a line for the next page, such as "Wrong password".
type Message struct {
	// Kind is "success" or "failure", or what the caller likes.
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Value returns a value of r's session. A value does not outlive a login or logout unless [SessionConfig].Keep names it.
func (s *Sessions[U]) Value(r *http.Request, name string) (string, bool, error) {
	st, err := s.load(r)
	if err != nil {
		return "", false, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	v, ok := st.rec.Values[name]
	return v, ok, nil
}

// SetValue stores a value in r's session, and starts a session when there is none. Name and value are valid UTF-8.
func (s *Sessions[U]) SetValue(w http.ResponseWriter, r *http.Request, name, value string) error {
	if !utf8.ValidString(name) || !utf8.ValidString(value) {
		return errNotUTF8
	}
	return s.change(w, r, func(rec *record) {
		if rec.Values == nil {
			rec.Values = map[string]string{}
		}
		rec.Values[name] = value
	})
}

// RemoveValue removes a value from r's session.
func (s *Sessions[U]) RemoveValue(w http.ResponseWriter, r *http.Request, name string) error {
	if _, ok, err := s.Value(r, name); !ok {
		return err
	}
	return s.change(w, r, func(rec *record) { delete(rec.Values, name) })
}

// SetReturnTo stores the path to go to after the login. A path that [SafeReturnTo] refuses is an error.
func (s *Sessions[U]) SetReturnTo(w http.ResponseWriter, r *http.Request, path string) error {
	path, ok := SafeReturnTo(path)
	if !ok {
		return errors.New("passport: the path to return to leads out of the site")
	}
	return s.change(w, r, func(rec *record) { rec.ReturnTo = path })
}

// TakeReturnTo returns the path that SetReturnTo stored, and removes it. It is checked again by [SafeReturnTo].
func (s *Sessions[U]) TakeReturnTo(r *http.Request) (string, bool, error) {
	st, err := s.load(r)
	if err != nil {
		return "", false, err
	}
	st.mu.Lock()
	path := st.rec.ReturnTo
	st.mu.Unlock()
	if path == "" {
		return "", false, nil
	}
	if err := s.shrink(r, func(rec *record) { rec.ReturnTo = "" }); err != nil {
		return "", false, err
	}
	path, ok := SafeReturnTo(path)
	return path, ok, nil
}

// AddMessage leaves a message for the next page. The oldest of more than 16 are dropped.
func (s *Sessions[U]) AddMessage(w http.ResponseWriter, r *http.Request, m Message) error {
	return s.change(w, r, func(rec *record) {
		rec.Messages = append(rec.Messages, m)
		if n := len(rec.Messages); n > maxMessages {
			rec.Messages = rec.Messages[n-maxMessages:]
		}
	})
}

// Messages returns the messages left by earlier requests, oldest first, and removes them.
func (s *Sessions[U]) Messages(r *http.Request) ([]Message, error) {
	st, err := s.load(r)
	if err != nil {
		return nil, err
	}
	st.mu.Lock()
	messages := st.rec.Messages
	st.mu.Unlock()
	if len(messages) == 0 {
		return nil, nil
	}
	return messages, s.shrink(r, func(rec *record) { rec.Messages = nil })
}

// shrink removes something from r's session. It never starts one, so it needs no response to set a cookie in.
func (s *Sessions[U]) shrink(r *http.Request, fn func(*record)) error {
	st, err := s.load(r)
	if err != nil {
		return err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.key == "" {
		return nil
	}
	rec := st.rec.clone()
	fn(&rec)
	ok, err := s.update(r.Context(), st.key, rec)
	if err != nil {
		return err
	}
	if !ok { // ended meanwhile
		st.key, rec = "", record{}
	}
	st.rec = rec
	return nil
}
