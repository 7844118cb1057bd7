"""Changing a picture in one place: what every inpainting engine shares. Pixels and masks alone; no model, no framework, no page.

read.py      a picture or a mask from a file of any origin: upright, 8 bits a channel, or a sentence why not
apart.py     formats with large decoders, in a child process (apart_child.py)
masks.py     marks made larger, smaller, softer
regions.py   which crops of the picture a model works on, and at what size
edit.py      the file to read first: a task becomes regions, what a model made of them becomes the finished picture
prefill.py   what stands in a hole before a model draws
seams.py     the made part joined to the picture where the joint is seen least
jumps.py     how visible a joint is
erase.py     a hole filled from the rest of the picture
select.py    marks found by the machine: the subject, the background, one colour
refining.py  a rough mark drawn sharper, part by part
"""
