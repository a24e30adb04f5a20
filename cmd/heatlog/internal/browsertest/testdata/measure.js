// Measures the page for boxes.json: what can be clicked, what it is, and where. An element is what a click on its label
// hits, as that is what the tracker names.
(() => {
  const kinds = [ // selector, kind ("" = by its link), weight, weight of the first
    [".bar .brand", "", 2], [".bar nav a", "", 3, 12], [".bag .icon", "act", 3], [".burger .icon", "act", 9],
    [".hero .button:first-child", "", 90], [".hero .quiet", "", 6], [".windcard strong", "", 12, 18], [".windcard .icon", "", 5], [".more", "", 8],
    [".hero-picture img", "picture", 14], [".round", "picture", 3], [".shapes img", "picture", 9], [".promo .button", "", 24],
    [".promo-pictures img", "picture", 6], [".mosaic img", "picture", 6, 12], [".faq summary", "act", 6, 10],
    ["#email", "act", 7], ["#letter button", "act", 4],
    [".card .tile img", "", 14, 34], [".card .name", "", 5], [".add .icon", "act", 6, 9],
    [".crumbs a", "", 2], ["#filter-toggle", "act", 26], [".check span", "act", 8, 16], [".check input", "act", 5], ["#price", "act", 6],
    ["#filters [type=reset]", "act", 3], ["#sort", "act", 16], [".pages a", "act", 5], [".pages .next", "act", 14],
    ["#stage", "picture", 30], [".thumbs img", "act", 14], [".rating a", "act", 9], [".swatches label", "act", 12], [".choices span", "act", 9, 6],
    [".stepper button", "act", 6], ["#add-to-bag", "act", 70], [".wish .icon", "act", 8], ["[role=tab]", "act", 9], [".helpful", "act", 3, 7],
    [".foot nav a", "", 1],
  ]
  const wrong = [], elements = [], boxes = [], areas = new Map()
  const round = (v) => Math.round(v)

  // As the tracker names elements, by its own code.
  const selector = (e) => {
    const path = []
    for (let o = e; o; o = o.parentElement) path.push(o)
    return hlAnchor.selector(path, "demo")
  }
  // What the text in it takes of an element; all of it if there is none.
  const label = (e) => {
    const b = e.getBoundingClientRect(), range = document.createRange()
    range.selectNodeContents(e)
    const r = range.getBoundingClientRect()
    if (!e.textContent.trim() || !r.width || e.localName === "select") return b
    const left = Math.max(b.left, r.left), right = Math.min(b.right, r.right)
    return new DOMRect(left, b.top, right - left, b.height)
  }
  const box = (e) => {
    const b = e.getBoundingClientRect()
    if (!e.checkVisibility({ visibilityProperty: true }) || !b.width) return []
    const l = label(e), out = [b.x, b.y + scrollY, b.width, b.height, l.x - b.x, l.width]
    for (let s = e; s; s = s.parentElement) {
      const style = getComputedStyle(s)
      if (style.position !== "sticky") continue
      const own = s.getBoundingClientRect(), parent = s.parentElement, around = parent.getBoundingClientRect()
      const limit = around.bottom + scrollY - parseFloat(getComputedStyle(parent).paddingBottom) - own.height
      out.push(b.y - own.y + parseFloat(style.top), b.y - own.y + limit)
    }
    return out.map(round)
  }
  const add = (e, kind, weight, to) => {
    const name = selector(e)
    if (document.querySelectorAll(name).length !== 1 || document.querySelector(name) !== e) wrong.push(`${name} is another element`)
    elements.push({ sel: name, check: e.matches("input,select,textarea") ? undefined : hlAnchor.hash(e, "demo"), kind, weight, to })
    boxes.push(box(e))
    return elements.length - 1
  }
  // Whether a click on the label hits the element.
  const check = (e) => {
    if (!e.checkVisibility({ visibilityProperty: true })) return
    e.scrollIntoView({ block: "center", behavior: "instant" })
    const l = label(e)
    let hit = document.elementFromPoint(l.x + l.width / 2, l.y + l.height / 2)
    hit = hit?.ownerSVGElement ?? hit
    if (hit !== e) wrong.push(`a click on ${selector(e)} hits ${hit ? selector(hit) : "nothing"}`)
  }

  const found = kinds.flatMap(([query, kind, weight, first = weight]) =>
    [...document.querySelectorAll(query)].map((e, i) => ({ e, kind, weight: i ? weight : first })))
  for (const { e } of found) check(e)
  scrollTo({ top: 0, behavior: "instant" })
  for (const { e, kind, weight } of found) {
    const href = e.closest("a")?.pathname
    if (elements.some((o) => o.sel === selector(e))) continue
    add(e, kind || (href && href !== location.pathname ? "open" : "act"), weight, kind || href === location.pathname ? "" : href ?? "")
  }
  const pressed = elements.length
  for (const { e } of found) {
    const i = elements.findIndex((o, j) => j < pressed && o.sel === selector(e)), a = e.closest("main section, aside, .bar, .foot") ?? document.body
    if (!areas.has(a)) areas.set(a, add(a, "area", 0, ""))
    elements[i].around = areas.get(a)
  }
  const context = document.createElement("canvas").getContext("2d")
  const width = (e) => {
    context.font = getComputedStyle(e).font
    return round(100 * context.measureText("Tern & Tether, 0123456789: quick brown kites over the lazy harbour").width)
  }
  const root = document.documentElement
  return {
    DocW: root.scrollWidth, DocH: root.scrollHeight, Fonts: [width(document.querySelector("footer .brand")), width(document.querySelector(".fine"))],
    Elements: elements, Boxes: boxes, Wrong: wrong,
  }
})()
