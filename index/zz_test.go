package index
import ("testing";"strings";"time";"fmt";"github.com/goccy/go-yaml/lexer")
func TestZZ(t *testing.T){
 for _,p:=range []string{"[","- ","a: >\n b\n\n","[a,","'","a: ","? ","\n","a\n"," a: b\n","a#: 'b"} {
  for _,n:=range []int{16<<10, 64<<10, 256<<10} {
  s:=time.Now(); lexer.Tokenize(strings.Repeat(p,n/len(p))); fmt.Printf("lex %q %d %v\n",p,n,time.Since(s))
  }
 }
 for _,n:=range []int{100,500,2000}{
 var b strings.Builder; b.WriteString("urls:\n  groups:\n"); for i:=range n {fmt.Fprintf(&b,"    - match: https://shop.example/product-%d/*\n      page: https://shop.example/product/%d\n",i,i); b.WriteString("# c\n")}
 s:=time.Now(); r,err:=ParseRules([]byte(b.String())); fmt.Println(n,b.Len(),time.Since(s),err)
 if err==nil {s=time.Now(); sp:=r.Spec(); if len(sp)<MaxRules{ _,err=ParseRules(sp)}; fmt.Println(len(sp),time.Since(s),err)}
 }
 for _,p:=range []string{"a: >\n b\n\n","[a],","- a\n","a%d: b\n","- >\n b\n\n","- |\n b\n\n\n"} {
  for _,n:=range []int{16<<10, 64<<10} {
  var b strings.Builder; for i:=0;b.Len()<n;i++{ if strings.Contains(p,"%"){fmt.Fprintf(&b,p,i)}else{b.WriteString(p)}}
  s:=time.Now(); _,err:=ParseRules([]byte(b.String())); fmt.Printf("%q %d %v %.60s\n",p,n,time.Since(s),fmt.Sprint(err))
  }}
}
