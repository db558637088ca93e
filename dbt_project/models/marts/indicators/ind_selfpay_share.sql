{{ config(materialized='view') }}

{{ share_of_month('selfpay_amount', 'selfpay_stated_cost', 'selfpay_share') }}
