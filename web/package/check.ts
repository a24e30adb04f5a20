// How the package may be called, and how not, for the compiler alone: it is not part of the package.
import * as code from "./index.js";
import { install, type Options, type Tag } from "./index.js";

const all: Required<Options> = {
  src: "https://maps.shop.example/hl.js",
  site: "shop",
  tags: ["variant:b"],
  check: false,
  sample: 0.25,
  consent: "required",
  respect: ["gpc", "dnt"],
  store: false,
  nonce: "r4nd0m",
  integrity: "sha384-x",
};
const tag: Tag = install(all);
tag.consent(true);
install({ src: "/hl.js", site: "shop" }).consent(false);
install({ src: { toString: () => "/hl.js", toJSON: () => "/hl.js" }, site: "shop" });

// @ts-expect-error there is no site
install({ src: "/hl.js" });
// @ts-expect-error a list
install({ src: "/hl.js", site: "shop", tags: "variant:b" });
// @ts-expect-error no such signal
install({ src: "/hl.js", site: "shop", respect: ["ccpa"] });
// @ts-expect-error what is asked of a visitor is not known yet
install({ src: "/hl.js", site: "shop", consent: true });
// @ts-expect-error a boolean
tag.consent("yes");
// @ts-expect-error all that there is
code.remove();
