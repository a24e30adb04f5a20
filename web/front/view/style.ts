/** The overlay's own style sheet. Spaces are multiples of 4 px; sheets of the page do not reach in here. */
export const sheet = `
:host::backdrop{display:none!important}
.all{--knob:0 0 0 .5px rgb(0 0 0/.12),0 1px 3px rgb(0 0 0/.3);
--ink:#14171f;--soft:#5d6472;--line:rgb(20 23 31/.1);--fill:rgb(20 23 31/.055);--hover:rgb(20 23 31/.09);--card:rgb(255 255 255/.94);--thumb:#fff;
--accent:#4f46e5;--press:#4f46e5;--live:#12a150;--warn:#b45309;--warm:rgb(245 158 11/.13);
--shade:0 0 0 1px rgb(20 23 31/.07),0 1px 2px rgb(20 23 31/.08),0 12px 32px -4px rgb(20 23 31/.22);
color:var(--ink);font:400 13px/1.4 -apple-system,BlinkMacSystemFont,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-font-smoothing:antialiased;color-scheme:light}
@media(prefers-color-scheme:dark){.all{
--ink:#f2f4f8;--soft:#a0a8b8;--line:rgb(255 255 255/.11);--fill:rgb(255 255 255/.07);--hover:rgb(255 255 255/.12);--card:rgb(24 26 34/.94);--thumb:#434959;
--accent:#8b85ff;--press:#635bff;--live:#3ddc84;--warn:#fbbf24;--warm:rgb(251 191 36/.12);
--shade:0 0 0 1px rgb(255 255 255/.1),0 1px 2px rgb(0 0 0/.4),0 16px 40px -4px rgb(0 0 0/.6);color-scheme:dark}}
*,*::before{box-sizing:border-box;margin:0}
[hidden]{display:none!important}
svg{width:20px;height:20px;display:block;fill:none;stroke:currentColor;stroke-width:1.75;stroke-linecap:round;stroke-linejoin:round}
canvas{position:absolute;inset:0;width:100%;height:100%}
.lines{position:absolute;inset:0;overflow:hidden}
.line{position:absolute;left:0;right:0;top:0;border-top:2px solid #14171f;filter:drop-shadow(0 0 1px rgb(255 255 255/.9))}
.line.fold{border-top-style:dashed}
.line span{position:absolute;left:16px;top:-13px;height:24px;padding:0 10px;border-radius:12px;background:#14171f;color:#fff;font-weight:600;font-size:12px;line-height:24px;white-space:nowrap;font-variant-numeric:tabular-nums}
.line.fold span{left:auto;right:16px;background:#fff;color:#14171f;box-shadow:inset 0 0 0 2px #14171f}
.ring{position:absolute;left:-24px;top:-24px;width:48px;height:48px;border-radius:50%;box-shadow:0 0 0 1.5px #fff,0 0 0 2.5px rgb(20 23 31/.55),inset 0 0 0 1px rgb(20 23 31/.25)}
.pulses{position:absolute;inset:0;overflow:hidden}
.pulse{position:absolute;left:0;top:0}
.pulse i{position:absolute;left:-28px;top:-28px;width:56px;height:56px;border-radius:50%;box-shadow:inset 0 0 0 2px #fff,inset 0 0 0 3.5px rgb(20 23 31/.6);animation:pulse .9s cubic-bezier(.2,.7,.3,1) both}
@keyframes pulse{from{transform:scale(.2);opacity:0}25%{opacity:.9}to{transform:scale(1);opacity:0}}
.numbers{position:absolute;inset:0;overflow:hidden}
.number{position:absolute;left:0;top:0;display:flex;height:20px;line-height:20px;border-radius:6px;overflow:hidden;background:rgb(20 23 31/.92);color:#fff;font-size:11px;font-weight:600;white-space:nowrap;font-variant-numeric:tabular-nums;box-shadow:0 0 0 1px rgb(255 255 255/.7)}
.number b{min-width:20px;padding:0 5px;background:var(--press);text-align:center}
.number span{padding:0 6px}
.box{position:absolute;left:0;top:0;border-radius:4px;box-shadow:0 0 0 2px var(--accent),0 0 0 3px rgb(255 255 255/.8)}
.absent{padding:8px 12px;border-radius:12px;background:var(--fill);flex:none}
.absent summary{cursor:pointer;color:var(--soft);font-size:12px}
.absent ul{list-style:none;padding:0;margin-top:8px;max-height:120px;overflow:auto}
.absent li{display:flex;gap:8px;padding:2px 0}
.absent li span{flex:1;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.absent em{color:var(--soft);font-style:normal}
.absent b{font-weight:600;font-variant-numeric:tabular-nums}
.tip{position:absolute;left:0;top:0;padding:4px 10px;border-radius:8px;background:rgb(20 23 31/.94);color:#fff;font-weight:600;font-size:12px;white-space:nowrap;font-variant-numeric:tabular-nums;box-shadow:0 2px 8px rgb(0 0 0/.25)}
.panel{position:absolute;right:16px;bottom:16px;width:336px;max-width:calc(100% - 32px);max-height:calc(100% - 32px);display:flex;flex-direction:column;overflow:hidden;border-radius:16px;background:var(--card);box-shadow:var(--shade);backdrop-filter:blur(16px) saturate(1.5);pointer-events:auto}
.head{display:flex;align-items:center;gap:8px;flex:none;height:48px;padding:0 8px 0 16px}
.mark{flex:none;width:20px;height:20px;border-radius:6px;background:radial-gradient(circle at 38% 60%,#e01b30 0 12%,#ff8f1f 30%,#f6dd3b 45%,#1cc7b4 68%,#3f7df8 100%)}
.name{font-weight:650;font-size:14px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;font-variant-numeric:tabular-nums}
.panel:not(.folded) .name{flex:none}
.live{margin-left:auto;padding:4px;min-width:0;overflow:hidden;text-overflow:ellipsis;color:var(--soft);font-size:12px;white-space:nowrap;font-variant-numeric:tabular-nums}
.live::before{content:"";display:inline-block;width:8px;height:8px;margin-right:6px;border-radius:50%;background:var(--live);box-shadow:0 0 0 3px rgb(18 161 80/.2)}
.live.late::before{background:var(--warn);box-shadow:0 0 0 3px rgb(217 119 6/.2)}
.live.off::before,.live.held::before{background:var(--soft);box-shadow:none}
.live.held{color:var(--ink);font-weight:600}
.brief:not(.folded) .name{display:none}
.brief:not(.folded) .live{margin:0 auto 0 -4px}
.held .pause{background:var(--fill);color:var(--ink)}
.plays .pause,.plays .read,.ended .pause,.ended:not(.plays) .play,.plays .days{display:none}
.plays .pick{grid-column:1/-1}
.read{flex:none;height:3px;margin:-3px 16px 0;border-radius:2px;background:var(--line);overflow:hidden}
.read i{display:block;height:100%;border-radius:2px;background:var(--accent);transition:width .3s linear}
.play{flex:1 0 100%;height:36px;border-radius:10px;background:var(--fill);font-weight:600}
.play:hover{background:var(--hover)}
.history{position:absolute;left:16px;right:368px;bottom:16px;max-width:880px;display:flex;flex-direction:column;gap:6px;padding:12px 16px 10px;border-radius:16px;background:var(--card);box-shadow:var(--shade);backdrop-filter:blur(16px) saturate(1.5);pointer-events:auto}
.row{display:flex;flex-wrap:wrap;align-items:center;gap:8px 12px}
.round{flex:none;display:grid;place-items:center;width:40px;height:40px;padding:0;border-radius:50%;background:var(--press);color:#fff}
.round:hover{filter:brightness(1.08)}
.round:disabled{background:var(--fill);color:var(--soft);cursor:default;filter:none}
.round path{fill:currentColor}
.round.on path{fill:none;stroke-width:2.5}
.day{display:flex;align-items:center}
input[type=date]{height:36px;padding:0 8px 0 10px;border:0;border-radius:10px;background:var(--fill);font-weight:550;font-variant-numeric:tabular-nums}
input[type=date]:hover{background:var(--hover)}
.clock{min-width:52px;font-size:20px;font-weight:650;letter-spacing:-.01em;font-variant-numeric:tabular-nums}
.said{flex:1 1 88px;min-width:0;color:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}
.speed{flex:none;width:104px}
.row .seg{flex:none}
.row .seg span{padding:0 10px;font-size:12px;white-space:nowrap}
.scrub{position:relative;height:44px}
.columns{position:absolute;inset:0 8px 9px;display:flex;align-items:flex-end;gap:1px}
.columns i{flex:1;min-width:0;border-radius:1px 1px 0 0;background:var(--accent);opacity:.35}
.history .scrub input{position:absolute;left:0;right:0;bottom:0;width:100%}
.hours{display:flex;justify-content:space-between;margin:-4px 8px 0;font-size:11px;line-height:14px;color:var(--soft);font-variant-numeric:tabular-nums}
.hours span{width:0;display:flex;justify-content:center}
button,select,input{font:inherit;color:inherit}
button{border:0;cursor:pointer;background:none}
.tool{display:grid;place-items:center;flex:none;width:32px;height:32px;padding:0;border-radius:8px;color:var(--soft)}
.tool+.tool{margin-left:-4px}
.tool:disabled{opacity:.4;cursor:default}
.tool:enabled:hover,a.tool:hover{background:var(--hover);color:var(--ink)}
:focus{outline:none}
:focus-visible,.seg :focus-visible+span,.switch :focus-visible+i{outline:2px solid var(--accent);outline-offset:2px}
.body{display:flex;flex-direction:column;gap:12px;padding:4px 16px 16px;overflow:auto;overscroll-behavior:contain}
.seg{display:flex;border:0;padding:3px;border-radius:10px;background:var(--fill);flex:none}
.seg label{flex:1;position:relative}
.seg input{position:absolute;inset:0;width:100%;height:100%;opacity:0;margin:0;cursor:pointer}
.seg span{display:block;height:30px;line-height:30px;border-radius:8px;text-align:center;font-weight:550;color:var(--soft)}
.seg input:hover+span{color:var(--ink)}
.seg input:checked+span{background:var(--thumb);color:var(--ink);box-shadow:0 0 0 .5px rgb(0 0 0/.06),0 1px 3px rgb(0 0 0/.14)}
dl{display:flex;gap:8px}
dl div{flex:1;min-width:0}
dt{font-size:12px;color:var(--soft);white-space:nowrap}
dd{font-size:20px;line-height:28px;font-weight:650;letter-spacing:-.01em;font-variant-numeric:tabular-nums;white-space:nowrap}
.keys{flex:none}
.sample{display:flex;align-items:center;gap:8px;margin-top:-4px;font-size:12px;font-weight:550}
.sample::before{content:"";flex:none;width:12px;height:12px;border-radius:50%;background:conic-gradient(var(--warn) 25%,var(--line) 0)}
.whose{display:flex;flex-direction:column;gap:4px;flex:none}
.whose p{display:flex;align-items:center;gap:8px}
.whose span{flex:1;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-weight:550}
.less{flex:none;max-width:55%;height:28px;padding:0 10px;border-radius:8px;background:var(--fill);font-size:12px;font-weight:550;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.less:hover{background:var(--hover)}
.bar{height:8px;border-radius:4px}
.ticks{display:flex;justify-content:space-between;margin-top:4px;font-size:11px;line-height:14px;color:var(--soft);font-variant-numeric:tabular-nums}
.notice{padding:12px;border-radius:12px;background:var(--fill);overflow-wrap:anywhere}
.notice.alarm{background:var(--warm)}
.notice strong{display:block;font-weight:650;font-size:14px}
.alarm strong{color:var(--warn)}
.notice p{color:var(--soft);margin-top:2px}
.notice ul{list-style:none;padding:0;margin-top:8px;max-height:84px;overflow:auto}
.notice li{padding:2px 0;white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
.notice a{color:var(--accent);text-underline-offset:2px;border-radius:4px}
.acts{display:flex;flex-wrap:wrap;gap:8px;margin-top:12px}
.act{height:32px;padding:0 12px;border-radius:8px;background:var(--press);color:#fff;font-weight:600}
.act:hover{filter:brightness(1.08)}
.acts .act+.act{background:var(--hover);color:var(--ink)}
.picks{display:grid;grid-template-columns:1fr 1fr;gap:8px;flex:none}
.pick{position:relative;min-width:0}
.pick.wide{grid-column:1/-1}
input[type=text]{width:100%;height:36px;padding:0 12px;border:0;border-radius:10px;background:var(--fill);font-weight:500}
input[type=text]:hover,input[type=text]:focus{background:var(--hover)}
::placeholder{color:var(--soft);opacity:1;font-weight:400}
select{appearance:none;width:100%;height:36px;padding:0 28px 0 12px;border:0;border-radius:10px;background:var(--fill);cursor:pointer;text-overflow:ellipsis;font-weight:500}
select:hover{background:var(--hover)}
option{background:Canvas;color:CanvasText}
.pick svg{pointer-events:none;position:absolute;right:8px;top:50%;width:16px;height:16px;margin-top:-8px;color:var(--soft)}
.foot{display:flex;flex-wrap:wrap;align-items:center;gap:12px;flex:none;border-top:1px solid var(--line);padding-top:12px}
.slide{display:flex;align-items:center;gap:8px;flex:1 0 100%;min-width:0;color:var(--soft)}
input[type=range]{--track:linear-gradient(90deg,var(--accent) var(--at),var(--line) 0);flex:1;min-width:0;width:0;height:20px;margin:0;background:none;cursor:pointer;appearance:none}
::-webkit-slider-runnable-track{height:4px;border-radius:2px;background:var(--track)}
::-webkit-slider-thumb{appearance:none;width:16px;height:16px;margin-top:-6px;border-radius:50%;background:#fff;box-shadow:var(--knob)}
::-moz-range-track{height:4px;border-radius:2px;background:var(--track)}
::-moz-range-thumb{width:16px;height:16px;border:0;border-radius:50%;background:#fff;box-shadow:var(--knob)}
input[type=range]:focus-visible{outline:none}
input[type=range]:focus-visible::-webkit-slider-thumb{outline:2px solid var(--accent);outline-offset:2px}
input[type=range]:focus-visible::-moz-range-thumb{outline:2px solid var(--accent);outline-offset:2px}
.switch{position:relative;display:flex;align-items:center;gap:8px;color:var(--soft);cursor:pointer;white-space:nowrap}
.switch input{position:absolute;inset:0;width:100%;height:100%;opacity:0;margin:0;cursor:pointer}
.switch i{flex:none;width:32px;height:20px;padding:2px;border-radius:10px;background:var(--hover)}
.switch i::before{content:"";display:block;width:16px;height:16px;border-radius:50%;background:#fff;box-shadow:var(--knob)}
.switch input:checked+i{background:var(--press)}
.switch input:checked+i::before{transform:translateX(12px)}
.folded{width:auto}
.folded .body{display:none}
.folded .head{height:44px}
.folded .live{flex:none;font-size:0;margin:0 auto 0 0}
.folded .live::before{margin:0}
.folded .out{display:none}
.folded .turn svg{transform:rotate(180deg)}
@media(max-width:1100px){.history{right:16px;bottom:72px}}
@media(prefers-reduced-motion:reduce){.pulse{display:none}.read i{transition:none}}
@media(max-width:480px){
.folded.held .name{font-weight:600}
.history{left:8px;right:8px;bottom:calc(60px + env(safe-area-inset-bottom));padding:12px}
.row{gap:8px}
.said{flex-basis:100%;order:1}
.speed{flex:1 1 96px}
input[type=date]{height:40px;font-size:16px}
.clock{margin-left:auto}
.panel{left:0;right:0;bottom:0;width:auto;max-width:none;max-height:50%;border-radius:20px 20px 0 0;padding-bottom:env(safe-area-inset-bottom)}
.head,.folded .head{height:52px;padding:0 8px 0 16px}
.tool{width:40px;height:40px}
.seg span{height:36px;line-height:36px}
select,input[type=text]{height:40px;font-size:16px}
input[type=range],.switch,.less,.act{height:36px}
.foot{row-gap:4px}
.play{height:40px}
.absent summary{padding:8px 12px;margin:-8px -12px}
.history .scrub input{bottom:-8px}
.body{padding-bottom:12px}
}
@media print{.all{display:none}}
@media(forced-colors:active){.panel,.notice,select,.tip,.line span{border:1px solid}.seg input:checked+span,.switch input:checked+i{background:Highlight;forced-color-adjust:none}}
`;
