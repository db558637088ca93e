{{ payment_steps("reason in ('common_rate', 'common_factor')") }}
