package api

import "net/http"

type receiverDoc struct {
	Name                string  `json:"name"`
	Type                string  `json:"type"`
	Pending             int     `json:"pending"` // notifications on their way
	LastSuccess         stamp   `json:"last_success"`
	LastError           *string `json:"last_error"`
	LastErrorAt         stamp   `json:"last_error_at"`
	ConsecutiveFailures int     `json:"consecutive_failures"`
}

// getReceivers answers GET /api/v1/receivers in the engine's order.
func (s *Server) getReceivers(r *http.Request) (any, error) {
	if err := parseQuery(r).err(); err != nil {
		return nil, err
	}
	all := s.Engine.Receivers()
	docs := make([]receiverDoc, 0, len(all))
	for i := range all {
		d := receiverDoc{
			Name: all[i].Name, Type: all[i].Type, Pending: all[i].Pending,
			LastSuccess: stamp(all[i].LastSuccess), LastErrorAt: stamp(all[i].LastErrorAt),
			ConsecutiveFailures: all[i].ConsecutiveFailures,
		}
		if all[i].LastError != "" {
			d.LastError = &all[i].LastError
		}
		docs = append(docs, d)
	}
	return struct {
		Receivers []receiverDoc `json:"receivers"`
	}{docs}, nil
}
