// SPDX-License-Identifier: Apache-2.0
// sg-real: stdin="banana apple cherry\napple banana\n42 -7 x\n" exit=2
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"
)

type item[T any] struct {
	Name string `json:"name"`
	Vals []T    `json:"vals,omitempty"`
}

type shape interface{ area() float64 }
type square struct{ s float64 }

func (q square) area() float64 { return q.s * q.s }

func main() {
	defer fmt.Println("deferred")
	count := map[string]int{}
	sc := bufio.NewScanner(os.Stdin)
	for sc.Scan() {
		for _, w := range strings.Fields(sc.Text()) {
			if n, err := strconv.Atoi(w); err == nil {
				count["number"] += n
			} else {
				count[w]++
			}
		}
	}
	keys := make([]string, 0, len(count))
	for k := range count {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	tw := tabwriter.NewWriter(os.Stdout, 0, 8, 2, '.', 0)
	for _, k := range keys {
		fmt.Fprintf(tw, "%s\t%d\n", k, count[k])
	}
	tw.Flush()
	b, _ := json.Marshal([]item[int]{{"a", []int{1, 2}}, {"b", nil}})
	var back []item[float64]
	err := json.Unmarshal(b, &back)
	fmt.Println(string(b), back, err)
	re := regexp.MustCompile(`(\w)(\w*)`)
	fmt.Println(re.ReplaceAllString("hello world", "${2}${1}ay"))
	template.Must(template.New("t").Parse("{{range $i, $e := .}}{{$i}}={{$e}};{{end}}\n")).Execute(os.Stdout, []string{"x", "y"})
	f := new(big.Int).MulRange(1, 60)
	fmt.Println(f, new(big.Rat).SetFrac64(6, 8), rand.New(rand.NewSource(3)).Perm(6))
	t := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	loc, err := time.LoadLocation("Asia/Tokyo")
	fmt.Println(t.In(loc).Format(time.RFC1123), t.AddDate(1, 0, 0).Weekday(), err)
	buf := binary.BigEndian.AppendUint32(nil, 0xdeadbeef)
	fmt.Printf("%x %T %v %+v %q\n", buf, shape(square{2}), shape(square{2}).area(), square{1.5}, 'ü')
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var m map[string]int
		m["x"] = 1
	}()
	var s shape
	fmt.Println(s.area())
}
