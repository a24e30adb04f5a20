"use strict"
// Runs before the body is parsed: what only works with scripts is laid out from the first frame.
document.documentElement.classList.add("js")

document.addEventListener("DOMContentLoaded", () => {
  const $ = (selector) => document.querySelector(selector)
  const all = (selector) => [...document.querySelectorAll(selector)]
  const pressed = (button) => button.getAttribute("aria-pressed") === "true"

  // Feedback at the lower edge.
  const toast = $("#toast")
  let toastTimer
  const say = (text) => {
    toast.textContent = text
    toast.classList.add("on")
    clearTimeout(toastTimer)
    toastTimer = setTimeout(() => toast.classList.remove("on"), 2600)
  }

  // Bag: counts within the page.
  const bag = $("#bag")
  let inBag = 0
  const fill = (n, text) => {
    inBag += n
    const count = bag.querySelector(".count")
    count.textContent = String(inBag)
    count.hidden = false
    bag.setAttribute("aria-label", inBag === 1 ? "Bag, 1 thing" : `Bag, ${inBag} things`)
    say(text)
  }
  bag.addEventListener("click", () => say(inBag ? `In your bag: ${inBag}` : "Your bag is empty."))
  for (const button of all("[data-add]")) button.addEventListener("click", () => fill(1, `${button.dataset.add} is in your bag.`))

  // Menu on phones.
  const menu = $("#menu"), burger = $("#burger")
  const openMenu = (open) => {
    menu.classList.toggle("open", open)
    burger.setAttribute("aria-expanded", String(open))
  }
  burger.addEventListener("click", () => openMenu(!menu.classList.contains("open")))
  menu.addEventListener("click", () => openMenu(false))
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.classList.contains("open")) return
    openMenu(false)
    burger.focus()
  })

  // Forms stay on the page.
  for (const form of all("form")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      if (form.id === "buy") return fill(Number($("#quantity").value) || 1, form.dataset.thanks)
      if (!form.dataset.thanks) return
      form.reset()
      say(form.dataset.thanks)
    })
  }

  if ($("#grid")) listPage()
  if ($("#buy")) productPage()

  function listPage() {
    const perPage = 12
    const grid = $("#grid"), form = $("#filters"), sort = $("#sort"), toggle = $("#filter-toggle"), range = $("#price")
    const cards = all("#grid .card")
    const order = new Map(cards.map((card, i) => [card, i]))
    const name = (card) => card.querySelector(".name").textContent
    const orders = {
      up: (a, b) => a.dataset.price - b.dataset.price,
      down: (a, b) => b.dataset.price - a.dataset.price,
      name: (a, b) => name(a).localeCompare(name(b), "en"),
    }
    let page = 1

    const show = () => {
      const chosen = new FormData(form)
      const winds = chosen.getAll("wind"), skills = chosen.getAll("skill")
      const fits = (card) => (!winds.length || winds.includes(card.dataset.wind)) && (!skills.length || skills.includes(card.dataset.skill)) &&
        Number(card.dataset.price) <= Number(range.value)
      const found = cards.filter(fits).sort(orders[sort.value] ?? ((a, b) => order.get(a) - order.get(b)))
      page = Math.min(page, Math.max(Math.ceil(found.length / perPage), 1))
      const visible = found.slice((page - 1) * perPage, page * perPage)
      for (const card of cards) {
        card.hidden = !visible.includes(card)
        card.classList.add("shown")
      }
      grid.append(...visible)
      $("#found").textContent = found.length === 1 ? "1 product" : `${found.length} products`
      $("#price-out").textContent = `€${range.value}`
      $("#nothing").hidden = found.length > 0
      for (const link of all(".pages a:not(.next)")) {
        link.hidden = Number(link.dataset.page) > Math.ceil(found.length / perPage)
        if (Number(link.dataset.page) === page) link.setAttribute("aria-current", "page")
        else link.removeAttribute("aria-current")
      }
      $(".pages .next").hidden = page * perPage >= found.length
    }
    const turn = (to) => {
      page = to
      show()
      $("#content").scrollIntoView()
    }
    const fromHash = () => {
      const wanted = form.querySelector(`[name=wind][value="${CSS.escape(location.hash.slice(1))}"]`)
      if (!wanted) return
      form.reset()
      wanted.checked = true
      page = 1
      show()
    }
    form.addEventListener("input", () => { page = 1; show() })
    form.addEventListener("reset", () => setTimeout(() => { page = 1; show() }))
    sort.addEventListener("change", show)
    for (const link of all(".pages a")) {
      link.addEventListener("click", (event) => {
        event.preventDefault()
        turn(Number(link.dataset.page))
      })
    }
    toggle.addEventListener("click", () => toggle.setAttribute("aria-expanded", String(form.classList.toggle("open"))))
    addEventListener("hashchange", fromHash)
    fromHash()
  }

  function productPage() {
    const stage = $("#stage"), quantity = $("#quantity"), wish = $("#wish")
    for (const thumb of all("[data-shot]")) {
      thumb.addEventListener("click", () => {
        stage.src = thumb.dataset.shot
        stage.alt = thumb.dataset.alt
        for (const other of all("[data-shot]")) other.setAttribute("aria-pressed", String(other === thumb))
      })
    }
    for (const step of all("[data-step]")) {
      step.addEventListener("click", () => {
        quantity.value = Math.min(Math.max((Number(quantity.value) || 1) + Number(step.dataset.step), 1), 9)
      })
    }
    $("#buy").addEventListener("change", (event) => {
      if (event.target.name === "set") $("#amount").textContent = `€${event.target.value}`
    })
    wish.addEventListener("click", () => {
      wish.setAttribute("aria-pressed", String(!pressed(wish)))
      say(pressed(wish) ? "Kept for later." : "No longer kept.")
    })
    for (const button of all(".helpful")) button.addEventListener("click", () => button.setAttribute("aria-pressed", String(!pressed(button))))

    const tabs = all("[role=tab]")
    const choose = (tab) => {
      for (const other of tabs) {
        other.setAttribute("aria-selected", String(other === tab))
        other.tabIndex = other === tab ? 0 : -1
        $("#" + other.getAttribute("aria-controls")).classList.toggle("open", other === tab)
      }
    }
    for (const [i, tab] of tabs.entries()) {
      tab.addEventListener("click", () => choose(tab))
      tab.addEventListener("keydown", (event) => {
        const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
        if (!by) return
        event.preventDefault()
        const next = tabs[(i + by + tabs.length) % tabs.length]
        choose(next)
        next.focus()
      })
    }
    choose(tabs[0])
  }
})
