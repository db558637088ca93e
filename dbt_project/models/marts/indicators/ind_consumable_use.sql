{{ config(materialized='refreshed', refreshed_by='month', refreshed_on='discharge_month') }}

{{ item_use('consumable') }}
