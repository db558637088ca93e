{{ payment_steps("step in ('death', 'transfer', 'repeated', 'reviewed')") }}
