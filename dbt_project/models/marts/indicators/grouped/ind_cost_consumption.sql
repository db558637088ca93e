{{ consumption('medfee_sumamt') }}
