def draw(acts): return "<svg/>"
