{{ config(materialized='view') }}

{{ share_of_month('consumable_amount', 'fee_line_amount', 'consumable_share') }}
