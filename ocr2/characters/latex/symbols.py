"""The signs of mathematics by their names in LaTeX: one name for one picture."""

from __future__ import annotations

import re


def _names(listed: str) -> frozenset[str]:
    return frozenset(f"\\{name}" for name in _listed(listed))


def _listed(words: str) -> list[str]:
    return words.split()


def _pairs(words: str) -> list[tuple[str, str]]:
    return list(zip(words.split()[::2], words.split()[1::2], strict=True))


GREEK = _names(
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi pi varpi rho varrho "
    "sigma varsigma tau upsilon phi varphi chi psi omega varkappa digamma"
)
CAPITAL_GREEK = _names("Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega")
ORDINARY = _names(
    "infty partial nabla hbar hslash ell wp Re Im aleph beth emptyset varnothing forall exists nexists neg prime angle "
    "triangle square blacksquare lozenge clubsuit diamondsuit heartsuit spadesuit flat natural sharp top imath jmath "
    "dagger ddagger S ldots cdots vdots ddots backslash surd eth mho complement measuredangle"
)
OPERATIONS = _names(
    "pm mp times div cdot circ bullet star wedge vee cap cup oplus ominus otimes oslash odot bigcirc amalg uplus sqcap "
    "sqcup wr diamond triangleleft triangleright bigtriangledown ltimes rtimes boxplus boxtimes dotplus barwedge"
)
RELATIONS = _names(
    "leq geq leqslant geqslant neq equiv sim simeq approx cong asymp doteq propto prec succ preceq succeq ll gg lll "
    "ggg subset supset subseteq supseteq subsetneq supsetneq sqsubseteq sqsupseteq in notin ni vdash dashv models perp "
    "bowtie smile frown lesssim gtrsim lessgtr triangleq therefore because nleq ngeq approxeq"
)
ARROWS = _names(
    "leftarrow rightarrow leftrightarrow Leftarrow Rightarrow Leftrightarrow longleftarrow longrightarrow "
    "longleftrightarrow Longleftarrow Longrightarrow Longleftrightarrow uparrow downarrow updownarrow Uparrow "
    "Downarrow mapsto longmapsto hookrightarrow hookleftarrow rightharpoonup leftharpoonup rightharpoondown "
    "leftharpoondown rightleftharpoons nearrow searrow swarrow nwarrow rightsquigarrow twoheadrightarrow "
    "nrightarrow circlearrowleft"
)
SUMS = _names("sum prod coprod bigcup bigcap bigvee bigwedge bigoplus bigotimes bigodot biguplus bigsqcup")
INTEGRALS = _names("int oint iint iiint")
LIMITS = _names("lim max min sup inf limsup liminf det gcd Pr")
"""Operators that have their scripts above and below."""
FUNCTIONS = _names(
    "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh coth exp log ln lg arg deg dim hom ker bmod"
)
DELIMITERS = frozenset(
    ["(", ")", "[", "]", "|", "/", *_names("langle rangle lfloor rfloor lceil rceil backslash uparrow downarrow")]
) | {"\\{", "\\}", "\\|"}
OPENERS = {"(": ")", "[": "]", "\\{": "\\}", "\\langle": "\\rangle", "\\lfloor": "\\rfloor", "\\lceil": "\\rceil"}
ACCENTS = _names("hat bar tilde vec dot ddot dddot check breve acute grave mathring")
OVER = ACCENTS | _names(
    "widehat widetilde overline underline overbrace underbrace overrightarrow overleftarrow overleftrightarrow boxed "
    "cancel bcancel xcancel pmod"
)
"""Commands that have one argument."""
SIGNS = (
    GREEK | CAPITAL_GREEK | ORDINARY | OPERATIONS | RELATIONS | ARROWS | SUMS | INTEGRALS | LIMITS | FUNCTIONS
) | DELIMITERS
PLAIN = frozenset("0123456789+-*/=<>()[]|.,:;!?")
ESCAPED = frozenset(["\\{", "\\}", "\\|", "\\%", "\\#", "\\&", "\\$", "\\_"])

SAME = {
    f"\\{name}": f"\\{other}" if other.isalpha() else other
    for name, other in _pairs(
        "ne neq le leq ge geq to rightarrow gets leftarrow land wedge lor vee lnot neg owns ni dots ldots dotsc ldots "
        "dotso ldots dotsb cdots dotsm cdots dotsi cdots colon : vert | mid | lvert | rvert | Vert \\| lVert \\| "
        "rVert \\| parallel \\| lbrace \\{ rbrace \\} lbrack [ rbrack ] lt < gt > setminus backslash ast * cdotp cdot "
        "centerdot cdot thickapprox approx thicksim sim iff Longleftrightarrow implies Longrightarrow bot perp "
        "impliedby Longleftarrow dag dagger ddag ddagger bigtriangleup triangle Box square Diamond lozenge i imath "
        "j jmath lgroup ( rgroup ) leadsto rightsquigarrow gggtr ggg llless lll lhd triangleleft rhd triangleright "
        "slash / smallint int intop int ointop oint varlimsup limsup varliminf liminf O varnothing vartriangle triangle"
    )
}
"""Names, and signs, that look as another does, which is the one that is kept."""
UNICODE = {
    char: f"\\{name}" if name.isalpha() else name
    for char, name in _pairs(
        "α alpha β beta γ gamma δ delta ε varepsilon ϵ epsilon ζ zeta η eta θ theta ϑ vartheta ι iota κ kappa λ lambda "
        "μ mu ν nu ξ xi π pi ρ rho σ sigma ς varsigma τ tau υ upsilon φ varphi ϕ phi χ chi ψ psi ω omega Γ Gamma "
        "Δ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega ≤ leq ≥ geq ≠ neq × times ÷ div ± pm "
        "∓ mp · cdot ⋅ cdot … ldots ⋯ cdots ∞ infty ∑ sum ∏ prod ∫ int ∮ oint ∂ partial ∇ nabla ∈ in ∉ notin ∋ ni "
        "⊂ subset ⊃ supset ⊆ subseteq ⊇ supseteq ∪ cup ∩ cap → rightarrow ← leftarrow ↔ leftrightarrow ⇒ Rightarrow "
        "⇐ Leftarrow ⇔ Leftrightarrow ↦ mapsto ∀ forall ∃ exists ≈ approx ≡ equiv ∼ sim ≃ simeq ≅ cong ∝ propto ⊥ perp "
        "∥ \\| ∠ angle △ triangle ∧ wedge ∨ vee ¬ neg ⊕ oplus ⊗ otimes ∅ varnothing ℓ ell ℏ hbar ∘ circ ∙ bullet "
        "⟨ langle ⟩ rangle † dagger ∴ therefore ∵ because − - ∗ * ∣ | ‖ \\| （ ( ） ) ， , ＝ = ＋ +"
    )
}
"""Signs as they may be typed."""

FONTS = {
    "mathrm": "mathrm",
    "rm": "mathrm",
    "mathup": "mathrm",
    "mathbf": "mathbf",
    "bf": "mathbf",
    "bold": "mathbf",
    "mathcal": "mathcal",
    "cal": "mathcal",
    "mathscr": "mathscr",
    "scr": "mathscr",
    "mathfrak": "mathfrak",
    "frak": "mathfrak",
    "mathbb": "mathbb",
    "Bbb": "mathbb",
    "mathsf": "mathsf",
    "sf": "mathsf",
    "mathtt": "mathtt",
    "tt": "mathtt",
    "mathit": "",
    "it": "",
    "mathnormal": "",
    "mit": "",
    "sl": "",
    "em": "",
    "boldsymbol": "boldsymbol",
    "bm": "boldsymbol",
    "pmb": "boldsymbol",
    "boldmath": "boldsymbol",
}
"""What a font is called in the end: "" is the italic that letters are in anyway."""
SWITCHES = frozenset(_listed("rm bf cal scr sf tt it mit sl em boldmath frak Bbb"))
"""Fonts that hold until their group ends, where they have no group of their own."""
HAVE = {
    "mathrm": re.compile(r"[A-Za-z]"),
    "mathbf": re.compile(r"[A-Za-z0-9]|\\[A-Z]\w+"),
    "mathcal": re.compile(r"[A-Z]"),
    "mathscr": re.compile(r"[A-Z]"),
    "mathfrak": re.compile(r"[A-Za-z]"),
    "mathbb": re.compile(r"[A-Zk]"),
    "mathsf": re.compile(r"[A-Za-z0-9]"),
    "mathtt": re.compile(r"[A-Za-z0-9]"),
    "boldsymbol": re.compile(r"[A-Za-z]"),
}
"""Which signs look otherwise in a font than without it."""
TEXTS = {
    "text": "",
    "textrm": "",
    "textnormal": "",
    "textup": "",
    "mbox": "",
    "hbox": "",
    "textbf": "bf",
    "textit": "it",
    "emph": "it",
    "texttt": "tt",
    "textsf": "sf",
}
SPACES = {
    "\\,": 0.167,
    "\\:": 0.222,
    "\\>": 0.222,
    "\\;": 0.278,
    "\\!": -0.167,
    "\\ ": 0.333,
    "~": 0.333,
    "\\/": 0.0,
    "\\thinspace": 0.167,
    "\\medspace": 0.222,
    "\\thickspace": 0.278,
    "\\negthinspace": -0.167,
    "\\enspace": 0.5,
    "\\enskip": 0.5,
    "\\quad": 1.0,
    "\\qquad": 2.0,
    "\\hfill": 0.0,
    "\\hfil": 0.0,
    "\\-": 0.0,
    "\\nobreakspace": 0.333,
    "\\space": 0.333,
}
"""In em."""
UNSEEN = _names(
    "displaystyle textstyle scriptstyle scriptscriptstyle nonumber notag allowbreak nobreak relax strut mathstrut null "
    "displaylimits tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge protect unboldmath "
    "noindent upshape centering break smallskip medskip bigskip raggedright hss normalfont"
)
