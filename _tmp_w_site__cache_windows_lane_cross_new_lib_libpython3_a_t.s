	.section	.idata$4
	.long	0
	.long	0
	.section	.idata$5
	.long	0
	.long	0
	.section	.idata$7
	.global	___tmp_w_site__cache_windows_lane_cross_new_lib_libpython3_a_iname
___tmp_w_site__cache_windows_lane_cross_new_lib_libpython3_a_iname:	.asciz	"python3.dll"
