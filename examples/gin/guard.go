package main

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// guarded returns a middleware of net/http as one of gin: that of a guard is its method Handler. The handlers behind it get
// the request that it hands on, whose context has the user, and run within it, so that their panics pass through. Where it
// answers instead of handing on, none of them runs. It must hand on the writer as it got it, as guards do.
func guarded(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		refused := true
		next := func(_ http.ResponseWriter, r *http.Request) {
			refused = false
			c.Request = r
			c.Next()
		}
		middleware(http.HandlerFunc(next)).ServeHTTP(c.Writer, c.Request)
		if refused {
			c.Abort()
		}
	}
}
