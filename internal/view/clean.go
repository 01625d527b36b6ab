// SPDX-License-Identifier: Apache-2.0

package view

import (
	"reflect"
	"strings"
	"unicode"
)

// Clean makes a text safe to print within one line of a terminal: control
// characters, escape sequences' introducers, marks that turn the direction of
// text and invisible characters are taken out, breaks and tabs become spaces.
// The names of files and the messages of others can hold any of them.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		case hidden(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// hidden is true of characters that a terminal obeys, or that do not show.
func hidden(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp)
}

// cleaned is a copy of an object in which every text is clean, so that no
// renderer can forget one.
func cleaned[T interface{ DeepCopy() T }](object T) T {
	c := object.DeepCopy()
	cleanValue(reflect.ValueOf(c))
	return c
}

func cleanValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			cleanValue(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				cleanValue(v.Field(i))
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			cleanValue(v.Index(i))
		}
	case reflect.String:
		v.SetString(Clean(v.String()))
	default: // numbers; no renderer prints a map
	}
}
