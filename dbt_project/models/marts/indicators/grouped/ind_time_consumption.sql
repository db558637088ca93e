{{ consumption('stay_days') }}
