// Package mongotest starts an independent implementation of MongoDB's wire protocol for tests, and stands between it and
// the driver to make faults.
package mongotest
