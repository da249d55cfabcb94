"""How the page looks: Gradio's theme bound to the colours and sizes that `assets/css/page.css` names."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mnist_core.page.templates import ASSETS, render

STYLES = ("page.css", "pad.css", "reading.css", "train.css", "inside.css", "toys.css")  # in this order
SCRIPTS = ("notice.js",)  # run before Gradio builds the page
_FOR_DRAWING = (  # the modules that Draw needs, fetched together rather than one after another
    "pad", "reading", "samples", "ink/sheet", "ink/encoding", "ink/history", "ink/pictures", "ink/surface",
    "ink/units",
)  # fmt: skip
FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
FONT_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

# Gradio's names on the left, ours on the right: one set of colours for the page, light and dark.
_COLOURS = {
    "body_background_fill": "paper",
    "body_text_color": "ink",
    "body_text_color_subdued": "ink-soft",
    "background_fill_primary": "sheet",
    "background_fill_secondary": "paper",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "color_accent_soft": "accent-wash",
    "link_text_color": "accent",
    "link_text_color_hover": "accent",
    "link_text_color_active": "accent",
    "link_text_color_visited": "accent",
    "block_background_fill": "sheet",
    "block_border_color": "line",
    "block_label_background_fill": "sheet",
    "block_label_text_color": "ink-soft",
    "block_title_text_color": "ink",
    "block_info_text_color": "ink-soft",
    "panel_background_fill": "paper",
    "panel_border_color": "line",
    "input_background_fill": "sheet",
    "input_border_color": "line-strong",
    "input_border_color_focus": "accent",
    "input_placeholder_color": "ink-soft",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent-strong",
    "button_primary_text_color": "on-accent",
    "button_primary_text_color_hover": "on-accent",
    "button_primary_border_color": "accent",
    "button_primary_border_color_hover": "accent-strong",
    "button_secondary_background_fill": "sheet",
    "button_secondary_background_fill_hover": "accent-wash",
    "button_secondary_text_color": "ink",
    "button_secondary_text_color_hover": "ink",
    "button_secondary_border_color": "line-strong",
    "button_secondary_border_color_hover": "line-strong",
    "slider_color": "accent",
    "checkbox_background_color": "sheet",
    "checkbox_background_color_selected": "accent",
    "checkbox_border_color": "line-strong",
    "checkbox_border_color_selected": "accent",
    "checkbox_border_color_focus": "accent",
    "checkbox_label_background_fill": "sheet",
    "checkbox_label_background_fill_hover": "accent-wash",
    "checkbox_label_background_fill_selected": "accent-wash",
    "checkbox_label_border_color": "line",
    "checkbox_label_text_color": "ink",
    "checkbox_label_text_color_selected": "ink",
    "table_border_color": "line",
    "table_even_background_fill": "sheet",
    "table_odd_background_fill": "sheet",
    "table_text_color": "ink",
    "code_background_fill": "paper",
    "loader_color": "accent",
}


def asset(name: str) -> str:
    """The text of the file `name` below `assets/`."""
    return (ASSETS / name).read_text(encoding="utf-8")


def mount(module: str, *events: str) -> str:
    """The `js_on_load` of a `gr.HTML` whose script is the module `assets/js/<module>.js`.

    The module exports `mount(element, host)`: the component's element, and all of Gradio that it may use,
    `host.value`, `host.trigger(name, detail)` and `host.watch("value", changed)`. Gradio compiles this line
    away from the page's address, so the module's own is made from it here.

    Args:
        module: a path below `assets/js`, without its ending.
        events: what it triggers besides Gradio's own events; Gradio looks for their names in this text.
    """
    host = "{ get value() { return props.value; }, set value(v) { props.value = v; }, trigger, watch }"
    triggers = "".join(f' // triggers "{event}"' for event in events)
    address = f'new URL("app/{module}.js", document.baseURI)'
    return f"import({address}).then(({{ mount }}) => mount(element, {host}));{triggers}"


def theme() -> gr.themes.Base:
    """A quiet theme: system fonts (nothing is fetched), flat sheets of paper, one accent colour."""
    colours = {f"{name}{mode}": f"var(--{ours})" for name, ours in _COLOURS.items() for mode in ("", "_dark")}
    flat = dict.fromkeys(
        ("block_shadow", "input_shadow", "input_shadow_focus", "shadow_drop", "shadow_drop_lg"), "none"
    )
    base = gr.themes.Base(font=FONT, font_mono=FONT_MONO, radius_size=gr.themes.sizes.radius_md)
    return base.set(
        **colours,
        **flat,
        block_border_width="0px",
        block_border_width_dark="0px",
        button_border_width="1px",
        color_accent="var(--accent)",
    )


def look() -> dict[str, Any]:
    """Arguments for `launch()`: the theme, and our style sheets and scripts as part of the page itself.

    Gradio's own `css_paths` would write each rule twice, once with a stronger selector; that breaks `@media`.
    """
    styles = [asset(f"css/{name}") for name in STYLES]
    scripts = [asset(f"js/{name}") for name in SCRIPTS]
    head = render("head.html", modules=_FOR_DRAWING, styles=styles, scripts=scripts)
    return {"theme": theme(), "head": head}
