// What the pages are made of, the same every time.
const syllables = "ka lo mir ten va shu dor pel ni ras tu bek olm fi gan sor we lin ter jo".split(" ")
const random = seed => () => (seed = (seed * 1664525 + 1013904223) >>> 0) / 4294967296
const word = r => Array.from({length: 2 + Math.floor(r() * 2)}, () => syllables[Math.floor(r() * syllables.length)]).join("")
const name = i => { const w = word(random(i * 7919 + 11)); return w[0].toUpperCase() + w.slice(1) }
const words = (i, n) => { const r = random(i * 104729 + 5); return Array.from({length: n}, () => word(r)).join(" ") }
const arabic = i => { const r = random(i * 31 + 3); return Array.from({length: 2}, () => Array.from({length: 5}, () => String.fromCharCode(0x627 + Math.floor(r() * 28))).join("")).join(" ") }
const each = (n, make) => document.write(Array.from({length: n}, (_, i) => make(i)).join(""))
