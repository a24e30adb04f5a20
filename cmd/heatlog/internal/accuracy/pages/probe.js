// Knows which element of a page is which, whatever becomes of them, and where each is now.
(() => {
  const list = [], numbers = new Map(), seen = []
  const random = seed => () => (seed = (seed * 1664525 + 1013904223) >>> 0) / 4294967296

  function number(root) {
    for (const e of root.querySelectorAll("*")) {
      if (e.closest("script,style,head,link,meta,title") || e.hasAttribute("data-hl-ignore")) continue
      numbers.set(e, list.length)
      list.push(e)
      if (e.shadowRoot) number(e.shadowRoot)
      if (e.localName === "iframe") number(e.contentDocument)
    }
  }

  const frameOf = e => e.ownerDocument === document ? null : e.ownerDocument.defaultView.frameElement

  /** An element's box in px of the viewport. */
  function box(e) {
    const { left, top, width, height } = e.getBoundingClientRect(), frame = frameOf(e)
    if (!frame) return { left, top, width, height }
    const outer = frame.getBoundingClientRect()
    return { left: left + outer.left + frame.clientLeft, top: top + outer.top + frame.clientTop, width, height }
  }

  function deepest(x, y) {
    let root = document, e = document.elementFromPoint(x, y)
    for (;;) {
      if (e && e.shadowRoot) {
        const inner = e.shadowRoot.elementFromPoint(x, y)
        if (!inner || inner === e) return e
        e = inner
      } else if (e && e.localName === "iframe") {
        const b = e.getBoundingClientRect()
        x -= b.left + e.clientLeft
        y -= b.top + e.clientTop
        root = e.contentDocument
        e = root.elementFromPoint(x, y)
      } else break
    }
    return whole(e)
  }

  /** The drawing that a part of one belongs to. */
  const whole = e => { while (e && e.ownerSVGElement) e = e.ownerSVGElement; return e }

  /** Numbers of elements that can be clicked, n of them spread over the page. */
  function targets(n) {
    const able = list.filter(e => {
      const b = box(e)
      return !e.ownerSVGElement && !["html", "body"].includes(e.localName) && b.width >= 6 && b.height >= 6 && e.checkVisibility({ visibilityProperty: true }) &&
        (e.childElementCount === 0 || [...e.childNodes].some(c => c.nodeType === 3 && c.data.trim()) || e.localName === "svg")
    })
    const r = random(9)
    return able.map(e => [r(), numbers.get(e)]).sort((a, b) => a[0] - b[0]).slice(0, n).map(a => a[1]).sort((a, b) => a - b)
  }

  /** Brings an element into sight; gives the place of a spot of it in the viewport, null if something else is there. */
  function show(k, fx, fy) {
    const e = list[k], frame = frameOf(e)
    e.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" })
    if (frame) frame.scrollIntoView({ block: "center", behavior: "instant" })
    const b = box(e), x = b.left + fx * b.width, y = b.top + fy * b.height
    return x < 0 || y < 0 || x >= innerWidth || y >= innerHeight || deepest(x, y) !== e ? null : [x, y]
  }

  function watch(view) {
    view.addEventListener("click", e => {
      const target = whole(e.composedPath()[0]), b = target.getBoundingClientRect()
      const at = (view.document.caretRangeFromPoint || (() => null)).call(view.document, e.clientX, e.clientY)
      const inside = at && at.startContainer.nodeType === 3 && target.contains(at.startContainer)
      seen.push({ k: numbers.get(target), fx: (e.clientX - b.left) / b.width, fy: (e.clientY - b.top) / b.height,
        text: inside ? [...target.childNodes].indexOf(at.startContainer) : -1, char: inside ? at.startOffset : 0 })
      e.preventDefault()
    }, true)
  }

  /** Counts every element; without this nothing else is known. */
  function begin() {
    number(document)
    watch(window)
    for (const f of document.querySelectorAll("iframe")) watch(f.contentWindow)
    return list.length
  }

  /** Makes another page of this one, as a later version of a site is. */
  function change(kinds, seed) {
    const r = random(seed), fresh = () => Array.from({ length: 3 }, () => "zu" + Math.floor(r() * 1e6).toString(36).replace(/\d/g, "q")).join(" ")
    const roots = [document, ...list.filter(e => e.shadowRoot).map(e => e.shadowRoot), ...list.filter(e => e.localName === "iframe").map(e => e.contentDocument)]
    const all = roots.flatMap(root => [...root.querySelectorAll("body,main,div,section,article,ul,ol,tbody,nav,aside,form,fieldset,header")]).filter(e => numbers.has(e))
    const parts = e => [...e.children].filter(o => numbers.has(o) && !["SCRIPT", "STYLE"].includes(o.tagName))
    if (kinds.includes("order")) {
      for (const e of all) {
        const kin = parts(e).filter((o, _, a) => o.localName === a[a.length - 1].localName)
        if (kin.length < 3) continue
        const places = kin.map(o => { const p = document.createComment(""); o.before(p); return p })
        kin.map(o => [r(), o]).sort((a, b) => a[0] - b[0]).forEach(([, o], i) => places[i].replaceWith(o))
      }
    }
    if (kinds.includes("gone")) for (const e of list) if (e.isConnected && !e.childElementCount && !e.ownerSVGElement && r() < 0.15 && e.localName !== "iframe") e.remove()
    if (kinds.includes("front")) {
      for (const e of all) {
        const first = parts(e)[0]
        if (r() < 0.4 || !first || !first.isConnected || first.localName === "iframe") continue
        let node = document.createElement("p")
        if (r() < 0.6) {
          node = first.cloneNode(true)
          for (const o of node.querySelectorAll("iframe,script")) o.remove()
          const texts = document.createTreeWalker(node, NodeFilter.SHOW_TEXT)
          while (texts.nextNode()) if (texts.currentNode.data.trim() && (node.localName === "button" || !texts.currentNode.parentElement.closest("button"))) texts.currentNode.data = fresh()
          for (const o of [node, ...node.querySelectorAll("[id]")]) o.removeAttribute("id")
          for (const o of [node, ...node.querySelectorAll("*")]) for (const a of ["href", "title", "alt"]) if (o.hasAttribute(a)) o.setAttribute(a, fresh())
        } else node.textContent = fresh()
        first.before(node)
      }
    }
    if (kinds.includes("renamed")) {
      const names = new Map(), other = c => names.get(c) || names.set(c, "k" + Math.floor(r() * 1e9).toString(36)).get(c)
      for (const e of document.querySelectorAll("[class]")) if (e.classList.length) e.className = [...e.classList].map(other).join(" ")
      for (const s of document.querySelectorAll("style")) s.textContent = s.textContent.replace(/\.([a-z][\w-]*)(?=[^}]*\{)/gi, (all, c) => names.has(c) ? "." + names.get(c) : all)
    }
    return true
  }

  const alive = e => { const f = frameOf(e); return e.isConnected && (!f || f.isConnected) }
  const seenNow = e => alive(e) && e.checkVisibility({ visibilityProperty: true }) && box(e).width > 0 && box(e).height > 0
  const spot = (e, fx, fy) => { const b = box(e); return [b.left + scrollX + fx * b.width, b.top + scrollY + fy * b.height] }
  const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1])

  /** Where the word is that was under a click, the middle of its letter; null if that is not known. */
  function letter(e, c) {
    const node = e.childNodes[c.text], range = document.createRange()
    if (c.text < 0 || !node || node.nodeType !== 3 || frameOf(e) || c.char >= node.length) return null
    range.setStart(node, c.char)
    range.setEnd(node, c.char + 1)
    const b = range.getBoundingClientRect()
    return b.width ? [b.left + scrollX + b.width / 2, b.top + scrollY + b.height / 2] : null
  }

  /** How well clicks are shown. find gives the element of an anchor; a click has its anchor, its stored cell, and what was true. */
  function measure(find, clicks) {
    scrollTo(0, 0)
    return clicks.map(c => {
      const e = list[c.k], got = find(c), on = seenNow(e)
      const out = { state: got === e ? alive(e) ? "right" : "wrong" : got ? "wrong" : alive(e) ? "unplaced" : "gone", shown: on }
      if (!on) return out
      const want = spot(e, c.fx, c.fy), b = box(e), corner = [b.left + scrollX, b.top + scrollY]
      const holds = p => p[0] >= corner[0] && p[1] >= corner[1] && p[0] <= corner[0] + b.width && p[1] <= corner[1] + b.height
      if (got === e) out.far = far(spot(e, c.qx, c.qy), want)
      const page = [Math.floor(c.x / 8) * 8 + 4, Math.floor(c.y / 8) * 8 + 4], share = [page[0] / c.vw * innerWidth, page[1]]
      out.pageFar = far(page, want)
      out.pageOn = holds(page)
      out.shareFar = far(share, want)
      out.shareOn = holds(share)
      const word = got === e ? letter(e, c) : null
      if (word) out.wordFar = far(spot(e, c.qx, c.qy), word)
      return out
    })
  }

  window.probe = { begin, targets, show, seen, change, measure, list, numbers }
})()
