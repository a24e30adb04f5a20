// Judges requests with uBlock Origin's own engine. Standard input is {"lists":["PATH",…],"suffixes":"PATH","requests":[{"url","from",
// "type"},…]}, standard output {"filters":N,"answers":[{"verdict":"none|blocked|allowed","rule"},…]}, answers in the order of requests.
import { readFileSync } from "node:fs";
import punycode from "ublock/lib/punycode.js";
import publicSuffixes from "ublock/lib/publicsuffixlist/publicsuffixlist.js";
import { FilteringContext } from "ublock/js/filtering-context.js";
import { CompiledListReader, CompiledListWriter } from "ublock/js/static-filtering-io.js";
import { AstFilterParser, utils } from "ublock/js/static-filtering-parser.js";
import engine from "ublock/js/static-net-filtering.js";

const { lists, suffixes, requests } = JSON.parse(readFileSync(0, "utf8"));
publicSuffixes.parse(readFileSync(suffixes, "utf8"), punycode.toASCII);

// as the extension compiles its lists, in a Chromium
function compile(text) {
  const writer = new CompiledListWriter();
  const parser = new AstFilterParser({ trustedSource: true, maxTokenLength: engine.MAX_TOKEN_LENGTH });
  const compiler = engine.createCompiler(parser);
  compiler.start(writer);
  const whole = text.replace(/ \\\r?\n {4,}/g, ""); // of lines that go on
  for (const line of utils.preparser.prune(whole, ["ublock", "chromium", "mv2", "native_css_has"]).split("\n")) {
    parser.parse(line.trim());
    if (parser.isFilter() && !parser.hasError() && parser.isNetworkFilter()) compiler.compile(parser, writer);
  }
  compiler.finish(writer);
  return writer.toString();
}

engine.reset();
for (const path of lists) engine.fromCompiled(new CompiledListReader(compile(readFileSync(path, "utf8"))));
engine.freeze();

const answers = requests.map(({ url, from, type }) => {
  const context = new FilteringContext();
  context.setURL(url);
  context.setType(type);
  context.setDocOriginFromURL(from);
  const verdict = ["none", "blocked", "allowed"][engine.matchRequest(context)];
  return { verdict, rule: verdict === "none" ? "" : engine.toLogData().raw };
});
process.stdout.write(JSON.stringify({ filters: engine.getFilterCount(), answers }));
