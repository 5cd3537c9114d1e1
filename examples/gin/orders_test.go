package main

import (
	"errors"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/countersign-auth/countersign/internal/testkit/exampletest"
)

func TestOrders(t *testing.T) {
	exampletest.Run(t, exampletest.Example{
		Routes: func(people, programs *guard, ran func()) http.Handler {
			r := routes(people, programs)
			probes := r.Group("/", answerErrors, guarded(people.Handler), func(*gin.Context) { ran() })
			probes.GET("/probe", func(*gin.Context) {})
			probes.GET("/panics", func(*gin.Context) { panic("a mistake") })
			probes.GET("/fails", func(c *gin.Context) { _ = c.Error(errors.New("no tea")) })
			return r
		},
		Panics: http.StatusInternalServerError, Fails: http.StatusTeapot,
	})
}

// answerErrors is how gin has handlers fail: they add to the errors of the context, and a middleware before them answers. It
// leaves alone what was aborted, for that has its answer.
func answerErrors(c *gin.Context) {
	c.Next()
	if len(c.Errors) > 0 && !c.IsAborted() {
		c.JSON(http.StatusTeapot, gin.H{"error": c.Errors.Last().Error()})
	}
}
